// CallRecord: one call at the seam as it was made and answered, small enough for a ring of them; and its text and JSON.
#pragma once

#include <array>
#include <span>
#include <string>

#include "kvmapi/errno.hpp"
#include "kvmapi/kinds.hpp"
#include "kvmapi/types.hpp"

namespace kvmapi {

struct CallRecord {
  enum class Op : u8 { Open, Ioctl, Mmap, Munmap, Close };
  // Why `data` is as it is.
  enum class Data : u8 { None, Complete, Unreadable };
  static constexpr std::size_t kMaxDataBytes = 448;

  u64 sequence = 0;  // 1 for the first call of a TracedBackend
  u64 thread = 0;    // kernel's thread id
  Op op = Op::Ioctl;
  FdKind kind{};  // 0: not known
  Data data_state = Data::None;
  u8 pio_bytes = 0;
  int fd = -1;      // Open: the answer
  u32 request = 0;  // Ioctl: the number; Open: flags
  u64 arg = 0;      // Ioctl: the argument; Mmap, Munmap: the address
  u64 length = 0;   // Mmap, Munmap: bytes
  s64 result = 0;   // what was returned; -1 on an error
  Errno error{};
  // Ioctl: what the argument points at, after the call, cut at kMaxDataBytes; KVM_RUN: the start of struct kvm_run;
  // Open: the path.
  u16 data_bytes = 0;
  std::array<u8, 8> pio{};  // KVM_EXIT_IO: the first bytes of its data
  std::array<std::byte, kMaxDataBytes> data;

  CallRecord() {}  // NOLINT(modernize-use-equals-default): leaves `data` uninitialised on purpose
  std::span<const std::byte> captured() const { return {data.data(), data_bytes}; }
};

// One line, as strace would print it:
//   ioctl(5 vcpu, KVM_RUN) = 0 KVM_EXIT_IO {direction=KVM_EXIT_IO_OUT, size=1, port=0x10, count=1, data_offset=0x1000}
//   data=[61] ioctl(4 vm, KVM_SET_USER_MEMORY_REGION, {slot=0, ...}) = -1 EINVAL ioctl(3 system, 0xc00cae05,
//   0x7ffc0000) = -1 EINVAL (0xc00cae05 has the C++ flexible-array bug ...)
std::string to_text(const CallRecord& call);

// One JSON object without a line feed. Structs are objects with their fields; flags are texts; addresses and other
// hexadecimal values are texts ("0x1000"); counts are numbers.
std::string to_json(const CallRecord& call);

}  // namespace kvmapi
