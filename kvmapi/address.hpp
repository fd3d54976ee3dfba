// Address spaces that cannot be mixed: Gpa (guest physical), Gva (guest linear), Hva (this process).
#pragma once

#include <compare>

#include "kvmapi/types.hpp"

namespace kvmapi {

template <class Space>
struct Address {
  u64 value = 0;

  friend constexpr auto operator<=>(Address, Address) = default;
  friend constexpr Address operator+(Address a, u64 bytes) { return {a.value + bytes}; }
  friend constexpr Address operator-(Address a, u64 bytes) { return {a.value - bytes}; }
  friend constexpr u64 operator-(Address a, Address b) { return a.value - b.value; }
};

using Gpa = Address<struct GuestPhysical>;
using Gva = Address<struct GuestLinear>;
using Hva = Address<struct HostVirtual>;

inline constexpr u64 kPageSize = 4096;

}  // namespace kvmapi
