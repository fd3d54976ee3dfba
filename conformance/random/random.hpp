// Random: the one source of chance here. A pure function of its seed on every machine, so that a seed and a number name
// a program.
#pragma once

#include <cstddef>
#include <iterator>

#include "kvmapi/types.hpp"

namespace conformance::random {

using kvmapi::s64;
using kvmapi::u16;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

// splitmix64's finaliser: a hash of one word.
constexpr u64 mix(u64 value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}
constexpr u64 mix(u64 a, u64 b) { return mix(mix(a + 0x9e3779b97f4a7c15) + b); }

class Random {
 public:
  constexpr explicit Random(u64 seed) : state_(seed) {}

  constexpr u64 word() { return mix(state_ += 0x9e3779b97f4a7c15); }
  // 0 ... count - 1.
  constexpr u32 below(u32 count) { return static_cast<u32>((word() >> 32) * count >> 32); }
  constexpr bool chance(u32 percent) { return below(100) < percent; }
  template <class List>
  constexpr auto pick(const List& list) {
    return std::begin(list)[below(static_cast<u32>(std::size(list)))];
  }
  // Operands at which carries, signs and sizes meet, or anything.
  constexpr u64 operand() {
    constexpr u64 kEdges[] = {0,      1,          0x7f,       0x80,       0xff,    0x7fff,     0x8000,
                              0xffff, 0x7fffffff, 0x80000000, 0xffffffff, ~u64{0}, 1ull << 63, ~u64{0} >> 1};
    const u32 kind = below(3);
    return kind == 0 ? pick(kEdges) : kind == 1 ? word() >> below(64) : word();
  }

 private:
  u64 state_;
};

}  // namespace conformance::random
