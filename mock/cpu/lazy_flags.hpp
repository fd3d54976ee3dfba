// Arithmetic flags kept as the last result and two words, turned into bits only when somebody looks (struct LazyFlags
// in core.hpp). Pure functions.
#pragma once

#include <bit>

#include "mock/cpu/core.hpp"

namespace mock::cpu {

inline constexpr u32 kSignDelta = 1u << 31;
inline constexpr unsigned kParityDeltaShift = 8;

// Sign-extends a value of an operation's type to 64 bits.
template <class T>
constexpr u64 sign_extend(T value) {
  return static_cast<u64>(static_cast<s64>(static_cast<std::make_signed_t<T>>(value)));
}

// True for an even number of one bits in the low byte.
constexpr bool parity_even(u64 value) { return (0x9669u >> ((value ^ (value >> 4)) & 0xf)) & 1; }

constexpr bool lazy_cf(const LazyFlags& f) { return f.carry & 1; }
constexpr bool lazy_zf(const LazyFlags& f) { return f.result == 0; }
constexpr bool lazy_sf(const LazyFlags& f) { return (f.result >> 63) ^ (f.carry >> 31); }
constexpr bool lazy_of(const LazyFlags& f) { return (f.carries >> 63) ^ (f.carry & 1); }
constexpr bool lazy_af(const LazyFlags& f) { return (f.carries >> 4) & 1; }
constexpr bool lazy_pf(const LazyFlags& f) { return parity_even(f.result ^ (f.carry >> kParityDeltaShift)); }

constexpr u32 arith_bits(const LazyFlags& f) {
  return (lazy_cf(f) ? CF : 0u) | (lazy_pf(f) ? PF : 0u) | (lazy_af(f) ? AF : 0u) | (lazy_zf(f) ? ZF : 0u) |
         (lazy_sf(f) ? SF : 0u) | (lazy_of(f) ? OF : 0u);
}

// The representation of any combination of the six flags.
constexpr LazyFlags lazy_from_bits(u32 bits) {
  const bool cf = bits & CF;
  LazyFlags f;
  f.result = bits & ZF ? 0 : 1;
  f.carry = cf;
  if (parity_even(f.result) != !!(bits & PF)) f.carry |= 1u << kParityDeltaShift;
  if (bits & SF) f.carry |= kSignDelta;
  f.carries = (bits & AF ? 1u << 4 : 0u) | (static_cast<u64>(!!(bits & OF) != cf) << 63);
  return f;
}

// The condition of Jcc, SETcc, CMOVcc: `code` is the low four bits of the opcode.
template <unsigned code>
constexpr bool condition(const LazyFlags& f) {
  bool result;
  switch (code >> 1) {
    case 0:
      result = lazy_of(f);
      break;
    case 1:
      result = lazy_cf(f);
      break;
    case 2:
      result = lazy_zf(f);
      break;
    case 3:
      result = lazy_cf(f) || lazy_zf(f);
      break;
    case 4:
      result = lazy_sf(f);
      break;
    case 5:
      result = lazy_pf(f);
      break;
    case 6:
      result = lazy_sf(f) != lazy_of(f);
      break;
    default:
      result = lazy_zf(f) || lazy_sf(f) != lazy_of(f);
      break;
  }
  return result != !!(code & 1);
}

}  // namespace mock::cpu
