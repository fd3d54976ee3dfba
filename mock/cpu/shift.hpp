// Shifts and rotates as pure functions: eval(value, count as encoded, flags in and out) -> result. A masked count of
// zero changes nothing.
#pragma once

#include "mock/cpu/alu.hpp"

namespace mock::cpu {

template <class T>
constexpr unsigned shift_count(unsigned count) {
  return count & (sizeof(T) == 8 ? 63 : 31);
}

constexpr bool bit_of(u64 value, unsigned bit) { return (value >> bit) & 1; }

// Flags of a shift: SF ZF PF from the result, AF 0, given CF and OF.
template <class T>
constexpr LazyFlags shift_flags(T result, bool cf, bool of) {
  return {cf, sign_extend(result), static_cast<u64>(cf != of) << 63};
}

// Flags of a rotate: only CF and OF change.
constexpr LazyFlags rotate_flags(const LazyFlags& before, bool cf, bool of) {
  LazyFlags f = before;
  f.carry = (f.carry & ~1u) | cf;
  f.carries = (f.carries & ~(u64{1} << 63)) | (static_cast<u64>(cf != of) << 63);
  return f;
}

struct Shl {
  static constexpr bool kReadsCarry = false, kKeepsFlags = false;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    const unsigned n = shift_count<T>(count);
    if (n == 0) return a;
    const T result = n >= kBits<T> ? T{0} : static_cast<T>(a << n);
    const bool cf = n <= kBits<T> && bit_of(a, kBits<T> - n);
    flags = shift_flags(result, cf, bit_of(result, kBits<T> - 1) != cf);
    return result;
  }
};

struct Shr {
  static constexpr bool kReadsCarry = false, kKeepsFlags = false;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    const unsigned n = shift_count<T>(count);
    if (n == 0) return a;
    const T result = n >= kBits<T> ? T{0} : static_cast<T>(a >> n);
    const bool cf = n <= kBits<T> && bit_of(a, n - 1);
    // Bit of the value shifted by one less: defined for a count of 1, and what current CPUs give for others.
    const bool of = n == 1 ? bit_of(a, kBits<T> - 1) : false;
    flags = shift_flags(result, cf, of);
    return result;
  }
};

struct Sar {
  static constexpr bool kReadsCarry = false, kKeepsFlags = false;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    const unsigned n = shift_count<T>(count);
    if (n == 0) return a;
    const s64 wide = static_cast<s64>(sign_extend(a));
    const unsigned shift = n >= kBits<T> ? kBits<T> - 1 : n;
    const T result = static_cast<T>(wide >> shift);
    const bool cf = n >= kBits<T> ? wide < 0 : bit_of(static_cast<u64>(wide), n - 1);
    flags = shift_flags(result, cf, false);
    return result;
  }
};

struct Rol {
  static constexpr bool kReadsCarry = false, kKeepsFlags = true;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    if (shift_count<T>(count) == 0) return a;
    const unsigned n = count & (kBits<T> - 1);
    const T result = n == 0 ? a : static_cast<T>((a << n) | (a >> (kBits<T> - n)));
    const bool cf = result & 1;
    flags = rotate_flags(flags, cf, bit_of(result, kBits<T> - 1) != cf);
    return result;
  }
};

struct Ror {
  static constexpr bool kReadsCarry = false, kKeepsFlags = true;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    if (shift_count<T>(count) == 0) return a;
    const unsigned n = count & (kBits<T> - 1);
    const T result = n == 0 ? a : static_cast<T>((a >> n) | (a << (kBits<T> - n)));
    const bool cf = bit_of(result, kBits<T> - 1);
    flags = rotate_flags(flags, cf, bit_of(result, kBits<T> - 2) != cf);
    return result;
  }
};

// Through carry: the count is taken modulo the width plus one.
struct Rcl {
  static constexpr bool kReadsCarry = true, kKeepsFlags = true;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    unsigned n = shift_count<T>(count);
    if (sizeof(T) < 4) n %= kBits<T> + 1;
    if (n == 0) {
      if (shift_count<T>(count)) flags = rotate_flags(flags, lazy_cf(flags), bit_of(a, kBits<T> - 1) != lazy_cf(flags));
      return a;
    }
    const T carry = lazy_cf(flags);
    T result = n == kBits<T> ? T{0} : static_cast<T>(a << n);
    result = static_cast<T>(result | static_cast<T>(carry << (n - 1)));
    if (n > 1) result = static_cast<T>(result | (a >> (kBits<T> + 1 - n)));
    const bool cf = bit_of(a, kBits<T> - n);
    flags = rotate_flags(flags, cf, bit_of(result, kBits<T> - 1) != cf);
    return result;
  }
};

struct Rcr {
  static constexpr bool kReadsCarry = true, kKeepsFlags = true;
  template <class T>
  static constexpr T eval(T a, unsigned count, LazyFlags& flags) {
    unsigned n = shift_count<T>(count);
    if (sizeof(T) < 4) n %= kBits<T> + 1;
    if (n == 0) {
      if (shift_count<T>(count))
        flags = rotate_flags(flags, lazy_cf(flags), bit_of(a, kBits<T> - 1) != bit_of(a, kBits<T> - 2));
      return a;
    }
    const T carry = lazy_cf(flags);
    T result = n == kBits<T> ? T{0} : static_cast<T>(a >> n);
    result = static_cast<T>(result | static_cast<T>(carry << (kBits<T> - n)));
    if (n > 1) result = static_cast<T>(result | static_cast<T>(a << (kBits<T> + 1 - n)));
    const bool cf = bit_of(a, n - 1);
    flags = rotate_flags(flags, cf, bit_of(result, kBits<T> - 1) != bit_of(result, kBits<T> - 2));
    return result;
  }
};

// SHLD (left) and SHRD. 16-bit operands with counts above 16 are undefined; they continue into the first operand again,
// as CPUs do.
template <bool left, class T>
constexpr T double_shifted(T a, T b, unsigned count, LazyFlags& flags) {
  const unsigned n = shift_count<T>(count);
  if (n == 0) return a;
  T result{};
  bool cf{};
  if constexpr (sizeof(T) == 2) {
    // Three operands in a row: a b a (left) or a b a (right), so that counts up to 31 have a meaning.
    const u64 row = left ? (static_cast<u64>(a) << 32 | static_cast<u64>(b) << 16 | a)
                         : (static_cast<u64>(a) << 32 | static_cast<u64>(b) << 16 | a);
    if constexpr (left) {
      result = static_cast<T>((row << n) >> 32);
      cf = bit_of(row, 48 - n);
    } else {
      result = static_cast<T>(row >> n);
      cf = bit_of(row, n - 1);
    }
  } else if constexpr (left) {
    result = static_cast<T>((a << n) | (b >> (kBits<T> - n)));
    cf = bit_of(a, kBits<T> - n);
  } else {
    result = static_cast<T>((a >> n) | (b << (kBits<T> - n)));
    cf = bit_of(a, n - 1);
  }
  flags = shift_flags(result, cf, bit_of(static_cast<T>(result ^ a), kBits<T> - 1));
  return result;
}

template <class F, class T>
constexpr u32 shift_bits(T a, unsigned count, u32 before = 0) {
  LazyFlags f = lazy_from_bits(before);
  F::template eval<T>(a, count, f);
  return arith_bits(f);
}
static_assert(shift_bits<Shl, u8>(0x80, 1) == (CF | OF | ZF | PF));
static_assert(shift_bits<Shr, u8>(1, 0, ZF) == ZF);
static_assert(shift_bits<Sar, u8>(0x81, 1) == (CF | SF | PF));
static_assert(shift_bits<Rol, u8>(0x80, 1, ZF) == (CF | OF | ZF));
static_assert(shift_bits<Rcr, u8>(1, 1, CF) == (CF | OF));

}  // namespace mock::cpu
