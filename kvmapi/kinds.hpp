// Small sets used by the ABI tables: kinds of descriptor, architectures, direction of data.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "kvmapi/types.hpp"

namespace kvmapi {

// A set of enumerators whose values are single bits.
template <class Bit>
struct BitSet {
  u8 bits = 0;

  constexpr BitSet() = default;
  constexpr BitSet(Bit bit) : bits(static_cast<u8>(bit)) {}  // NOLINT(google-explicit-constructor)

  constexpr bool has(Bit bit) const { return (bits & static_cast<u8>(bit)) != 0; }
  constexpr bool empty() const { return bits == 0; }
  friend constexpr bool operator==(BitSet, BitSet) = default;
  friend constexpr BitSet operator|(BitSet a, BitSet b) {
    a.bits |= b.bits;
    return a;
  }
};

// What a descriptor is. Stats and GuestMemfd descriptors take no KVM ioctl.
enum class FdKind : u8 { System = 1, Vm = 2, Vcpu = 4, Device = 8, Stats = 16, GuestMemfd = 32 };
using FdKinds = BitSet<FdKind>;
constexpr FdKinds operator|(FdKind a, FdKind b) { return FdKinds(a) | FdKinds(b); }
inline constexpr FdKinds kNotEnabled{};

enum class Arch : u8 { X86 = 1, Arm64 = 2, S390 = 4, Ppc = 8, Mips = 16, Riscv = 32, Loongarch = 64 };
using Architectures = BitSet<Arch>;
constexpr Architectures operator|(Arch a, Arch b) { return Architectures(a) | Architectures(b); }
inline constexpr Architectures kNone{};
inline constexpr Architectures kEvery =
    Arch::X86 | Arch::Arm64 | Arch::S390 | Arch::Ppc | Arch::Mips | Arch::Riscv | Arch::Loongarch;

// Where the data behind an ioctl's argument flows: In is read by the kernel, Out is written by it.
enum class Direction : u8 { None = 0, In = 1, Out = 2, InOut = 3 };

std::string_view name(FdKind kind);          // "vm"
std::string_view name(Arch arch);            // "arm64"
std::string_view name(Direction direction);  // "in"
std::string to_text(FdKinds kinds);          // "vm, vcpu"
std::string to_text(Architectures archs);    // "x86, arm64", "all"

}  // namespace kvmapi
