// Ioctls of KVM by name, and what is known about each. Table: kvmapi/ioctls.def.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvmapi/cap.hpp"
#include "kvmapi/kinds.hpp"
#include "kvmapi/types.hpp"

namespace kvmapi {

// The value is the full request number. KVM_ARM_SET_DEVICE_ADDR equals KVM_GET_ONE_REG (other descriptor kind).
enum class Ioctl : u32 {
#define IOCTL(c_name, Id, number, ...) Id = number,
#define IOCTL_OTHER(c_name, Id, number, ...) Id = number,
#include "kvmapi/ioctls.def"
};

constexpr u32 number(Ioctl ioctl) { return static_cast<u32>(ioctl); }

// Argument column of ioctls that take none (most of them ignore what is passed), and of those that take a value instead
// of a pointer.
struct NoArgument {};
struct Immediate {};

// How the argument of ioctl(2) is meant.
enum class Passing : u8 { None, Immediate, Pointer };

struct IoctlInfo {
  Ioctl id;
  std::string_view c_name;  // "KVM_SET_USER_MEMORY_REGION"
  std::string_view name;    // "SetUserMemoryRegion"
  FdKinds fds;
  std::string_view argument;  // "kvm_userspace_memory_region", "u64", "NoArgument", "Immediate"
  u32 argument_bytes;         // of the fixed part; 0 when it is not a pointer or belongs to another architecture
  Passing passing;
  Direction direction;      // of the data, not of the number
  std::array<Cap, 4> caps;  // filled up with Cap::None
  Architectures architectures;
  bool is_x86;               // 64-bit x86 takes it
  std::string_view section;  // of api.rst; "-" if none
  std::string_view returns;

  constexpr u32 number() const { return static_cast<u32>(id); }
};

// Every row, x86 first, each part in the order of ioctls.def.
std::span<const IoctlInfo> ioctls();

// The row of an ioctl. For the one shared number: the x86 row.
const IoctlInfo& info(Ioctl ioctl);

// The row that a descriptor of this kind understands by this number, x86 rows before others; nullptr if there is none.
const IoctlInfo* find_ioctl(FdKind kind, u32 number);
// Likewise for a descriptor of any kind.
const IoctlInfo* find_ioctl(u32 number);

// The row called "KVM_RUN" or "Run".
const IoctlInfo* find_ioctl(std::string_view name);

// "KVM_RUN".
std::string_view c_name(Ioctl ioctl);

// Parts of a request number, as include/uapi/asm-generic/ioctl.h lays them out.
struct RequestParts {
  u8 nr;
  u8 type;    // 0xae for KVM
  u16 bytes;  // size of the argument's fixed part, 14 bits
  Direction direction;

  friend constexpr bool operator==(const RequestParts&, const RequestParts&) = default;
};
// In the number, "write" means that user space writes, i.e. Direction::In.
constexpr RequestParts split_request(u32 number) {
  return {static_cast<u8>(number), static_cast<u8>(number >> 8), static_cast<u16>((number >> 16) & 0x3fff),
          static_cast<Direction>(number >> 30)};
}
constexpr u32 make_request(u8 nr, Direction direction, u32 bytes, u8 type = 0xae) {
  return u32{nr} | u32{type} << 8 | (bytes & 0x3fff) << 16 | static_cast<u32>(direction) << 30;
}

// Why a descriptor of this kind does not know the number, as help for a caller: "0xc00cae05 has the C++ flexible-array
// bug of old <linux/kvm.h>: you meant KVM_GET_SUPPORTED_CPUID (0xc008ae05)", "KVM_RUN belongs to a vcpu descriptor, not
// to a vm", ...
std::string explain_unknown(FdKind kind, u32 number);

}  // namespace kvmapi
