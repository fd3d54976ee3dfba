// The arithmetic and logic operations as pure functions, and the only place that knows their flags. T is u8, u16, u32
// or u64.
#pragma once

#include "mock/cpu/lazy_flags.hpp"

namespace mock::cpu {

template <class T>
struct Alu {
  T result;
  LazyFlags flags;

  constexpr u32 bits() const { return arith_bits(flags); }
};

template <class T>
inline constexpr unsigned kBits = sizeof(T) * 8;

template <class T>
constexpr Alu<T> alu_add(T a, T b, bool carry = false) {
  T r;
  bool out = __builtin_add_overflow(a, b, &r);
  out |= __builtin_add_overflow(r, static_cast<T>(carry), &r);
  return {r, {out, sign_extend(r), sign_extend(static_cast<T>(a ^ b ^ r))}};
}

template <class T>
constexpr Alu<T> alu_sub(T a, T b, bool borrow = false) {
  T r;
  bool out = __builtin_sub_overflow(a, b, &r);
  out |= __builtin_sub_overflow(r, static_cast<T>(borrow), &r);
  return {r, {out, sign_extend(r), sign_extend(static_cast<T>(a ^ b ^ r))}};
}

// CF = OF = 0; AF, undefined by the manuals, is 0 as current CPUs leave it.
template <class T>
constexpr Alu<T> alu_logic(T result) {
  return {result, {0, sign_extend(result), 0}};
}

static_assert(alu_add<u8>(0x7f, 1).bits() == (SF | OF | AF));
static_assert(alu_add<u8>(0xff, 1).bits() == (ZF | CF | AF | PF));
static_assert(alu_sub<u8>(0, 1).bits() == (SF | CF | AF | PF));
static_assert(alu_sub<u32>(0x80000000, 1).bits() == (OF | AF | PF));
static_assert(alu_sub<u16>(5, 5).bits() == (ZF | PF));
static_assert(alu_add<u64>(~0ull, 0, true).bits() == (ZF | CF | AF | PF));
static_assert(alu_logic<u8>(0x80).bits() == SF);
static_assert(arith_bits(lazy_from_bits(ZF | SF | OF | CF)) == (ZF | SF | OF | CF));
static_assert(arith_bits(lazy_from_bits(PF | AF)) == (PF | AF));
static_assert(arith_bits(lazy_from_bits(ZF | PF | CF)) == (ZF | PF | CF));

// One struct per two-operand instruction. kReadsCarry: needs CF; kWrites: has a destination.
struct Add {
  static constexpr bool kReadsCarry = false, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_add(a, b);
  }
};
struct Adc {
  static constexpr bool kReadsCarry = true, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool carry) {
    return alu_add(a, b, carry);
  }
};
struct Sub {
  static constexpr bool kReadsCarry = false, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_sub(a, b);
  }
};
struct Sbb {
  static constexpr bool kReadsCarry = true, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool carry) {
    return alu_sub(a, b, carry);
  }
};
struct Cmp {
  static constexpr bool kReadsCarry = false, kWrites = false;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_sub(a, b);
  }
};
struct And {
  static constexpr bool kReadsCarry = false, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_logic(static_cast<T>(a & b));
  }
};
struct Or {
  static constexpr bool kReadsCarry = false, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_logic(static_cast<T>(a | b));
  }
};
struct Xor {
  static constexpr bool kReadsCarry = false, kWrites = true;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_logic(static_cast<T>(a ^ b));
  }
};
struct Test {
  static constexpr bool kReadsCarry = false, kWrites = false;
  template <class T>
  static constexpr Alu<T> eval(T a, T b, bool) {
    return alu_logic(static_cast<T>(a & b));
  }
};

// One-operand instructions. INC and DEC keep CF, NOT keeps all flags.
template <class T>
constexpr Alu<T> keep_carry(T result, u64 carries, bool overflow, bool carry) {
  return {result, {carry, sign_extend(result), (carries & 0x10) | (static_cast<u64>(overflow != carry) << 63)}};
}
struct Inc {
  static constexpr bool kReadsCarry = true, kFlags = true;
  template <class T>
  static constexpr Alu<T> eval(T a, bool carry) {
    const T r = static_cast<T>(a + 1);
    return keep_carry(r, a ^ 1 ^ r, r == T{1} << (kBits<T> - 1), carry);
  }
};
struct Dec {
  static constexpr bool kReadsCarry = true, kFlags = true;
  template <class T>
  static constexpr Alu<T> eval(T a, bool carry) {
    const T r = static_cast<T>(a - 1);
    return keep_carry(r, a ^ 1 ^ r, a == T{1} << (kBits<T> - 1), carry);
  }
};
struct Neg {
  static constexpr bool kReadsCarry = false, kFlags = true;
  template <class T>
  static constexpr Alu<T> eval(T a, bool) {
    return alu_sub<T>(0, a);
  }
};
struct Not {
  static constexpr bool kReadsCarry = false, kFlags = false;
  template <class T>
  static constexpr Alu<T> eval(T a, bool) {
    return {static_cast<T>(~a), {}};
  }
};
static_assert(Inc::eval<u8>(0x7f, true).bits() == (SF | OF | AF | CF));
static_assert(Dec::eval<u8>(0x80, false).bits() == (OF | AF));
static_assert(Dec::eval<u8>(1, true).bits() == (ZF | PF | CF));
static_assert(Neg::eval<u16>(0x8000, false).bits() == (SF | OF | CF | PF));

}  // namespace mock::cpu
