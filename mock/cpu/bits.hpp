// Bit counting and manipulation as pure functions (SDM and APM, one page each). Undefined flags: AMD's behaviour where
// it is documented, else clear.
#pragma once

#include "mock/cpu/alu.hpp"

namespace mock::cpu {

constexpr LazyFlags with_cf(LazyFlags f, bool cf) {
  const bool of = lazy_of(f);
  f.carry = (f.carry & ~1u) | cf;
  f.carries = (f.carries & ~(u64{1} << 63)) | (static_cast<u64>(of != cf) << 63);
  return f;
}

// eval(source, destination, flags): returns whether the destination is written.

// A zero source leaves the destination alone (documented by AMD, done by Intel); only ZF is defined.
struct Bsf {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    flags = lazy_from_bits((arith_bits(flags) & ~u32{ZF}) | (a ? 0u : ZF));
    if (a == 0) return false;
    result = static_cast<T>(std::countr_zero(a));
    return true;
  }
};
struct Bsr {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    flags = lazy_from_bits((arith_bits(flags) & ~u32{ZF}) | (a ? 0u : ZF));
    if (a == 0) return false;
    result = static_cast<T>(kBits<T> - 1 - std::countl_zero(a));
    return true;
  }
};
// CF: source is zero; ZF: result is zero; the others are undefined and stay.
template <class T>
constexpr LazyFlags count_flags(const LazyFlags& before, T source, T result) {
  return lazy_from_bits((arith_bits(before) & ~u32{CF | ZF}) | (source ? 0u : CF) | (result ? 0u : ZF));
}
struct Lzcnt {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(std::countl_zero(a));
    flags = count_flags(flags, a, result);
    return true;
  }
};
struct Tzcnt {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(std::countr_zero(a));
    flags = count_flags(flags, a, result);
    return true;
  }
};
struct Popcnt {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(std::popcount(a));
    flags = lazy_from_bits(a ? 0u : ZF);
    return true;
  }
};
struct Blsi {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(a & (T{0} - a));
    flags = with_cf(alu_logic(result).flags, a != 0);
    return true;
  }
};
struct Blsr {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(a & (a - 1));
    flags = with_cf(alu_logic(result).flags, a == 0);
    return true;
  }
};
struct Blsmsk {
  template <class T>
  static constexpr bool eval(T a, T& result, LazyFlags& flags) {
    result = static_cast<T>(a ^ (a - 1));
    flags = with_cf(alu_logic(result).flags, a == 0);
    return true;
  }
};

// eval(operand 1, operand 2, flags) -> operand 0.
struct Andn {
  template <class T>
  static constexpr T eval(T a, T b, LazyFlags& flags) {
    const T result = static_cast<T>(~a & b);
    flags = alu_logic(result).flags;
    return result;
  }
};
struct Bextr {
  template <class T>
  static constexpr T eval(T a, T control, LazyFlags& flags) {
    const unsigned start = control & 0xff, length = (control >> 8) & 0xff;
    T result = start < kBits<T> ? static_cast<T>(a >> start) : T{0};
    if (length < kBits<T>) result &= static_cast<T>((T{1} << length) - 1);
    flags = alu_logic(result).flags;
    return result;
  }
};
struct Bzhi {
  template <class T>
  static constexpr T eval(T a, T index, LazyFlags& flags) {
    const unsigned n = index & 0xff;
    const T result = n < kBits<T> ? static_cast<T>(a & static_cast<T>((T{1} << n) - 1)) : a;
    flags = with_cf(alu_logic(result).flags, n >= kBits<T>);
    return result;
  }
};
struct Pdep {
  template <class T>
  static constexpr T eval(T a, T mask, LazyFlags&) {
    T result = 0;
    for (; mask; mask &= static_cast<T>(mask - 1), a = static_cast<T>(a >> 1))
      if (a & 1) result |= static_cast<T>(mask & (T{0} - mask));
    return result;
  }
};
struct Pext {
  template <class T>
  static constexpr T eval(T a, T mask, LazyFlags&) {
    T result = 0;
    for (T bit = 1; mask; mask &= static_cast<T>(mask - 1), bit = static_cast<T>(bit << 1))
      if (a & static_cast<T>(mask & (T{0} - mask))) result |= bit;
    return result;
  }
};
static_assert([] {
  LazyFlags f;
  return Pext::eval<u32>(0b10110100, 0b11110000, f) == 0b1011 && Pdep::eval<u32>(0b1011, 0b11110000, f) == 0b10110000;
}());

// 16-byte compare-and-exchange at an aligned address; `low`/`high` are the expected value and receive what was found.
inline bool compare_exchange_16(void* host, u64& low, u64& high, u64 new_low, u64 new_high) {
#if defined(__x86_64__)
  bool equal;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(equal), "+m"(*static_cast<unsigned __int128*>(host)), "+a"(low), "+d"(high)
               : "b"(new_low), "c"(new_high)
               : "memory");
  return equal;
#else
#error "the host must be x86-64"
#endif
}

}  // namespace mock::cpu
