// MUL IMUL DIV IDIV MULX. Undefined flags: MUL and IMUL leave SF, ZF, PF, AF of the low half as AMD does not promise;
// see kKeep.
#include "mock/cpu/handler_kit.hpp"

namespace mock::cpu {

namespace {

template <class T>
struct Wide;
template <>
struct Wide<u8> {
  using U = u16;
  using S = s16;
};
template <>
struct Wide<u16> {
  using U = u32;
  using S = s32;
};
template <>
struct Wide<u32> {
  using U = u64;
  using S = s64;
};
template <>
struct Wide<u64> {
  using U = unsigned __int128;
  using S = __int128;
};

// CF = OF = the upper half matters. SF, ZF, AF and PF are undefined: SF and PF from the low half, ZF and AF clear.
template <class T>
LazyFlags multiply_flags(T low, bool overflow) {
  const u32 bits = (alu_logic(low).bits() & (SF | PF)) | (overflow ? CF | OF : 0u);
  return lazy_from_bits(bits);
}

// AX, DX:AX, EDX:EAX, RDX:RAX.
template <class T>
typename Wide<T>::U get_double(Core& core) {
  if constexpr (sizeof(T) == 1)
    return get<u16>(&core, RAX * 8);
  else
    return static_cast<typename Wide<T>::U>(get<T>(&core, RDX * 8)) << kBits<T> | get<T>(&core, RAX * 8);
}

template <class T>
void set_double(Core& core, T low, T high) {
  if constexpr (sizeof(T) == 1) {
    set<u16>(&core, RAX * 8, static_cast<u16>(high << 8 | low));
  } else {
    set<T>(&core, RAX * 8, low);
    set<T>(&core, RDX * 8, high);
  }
}

template <class T, bool is_signed>
bool multiply(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 0, sizeof(T), value)) return false;
  using W = std::conditional_t<is_signed, typename Wide<T>::S, typename Wide<T>::U>;
  using N = std::conditional_t<is_signed, std::make_signed_t<T>, T>;
  const W product =
      static_cast<W>(static_cast<N>(get<T>(&core, RAX * 8))) * static_cast<W>(static_cast<N>(static_cast<T>(value)));
  const T low = static_cast<T>(product), high = static_cast<T>(static_cast<typename Wide<T>::U>(product) >> kBits<T>);
  set_double(core, low, high);
  const bool overflow = is_signed ? static_cast<W>(static_cast<N>(low)) != product : high != 0;
  core.lazy = multiply_flags(low, overflow);
  return true;
}

// IMUL r, r/m and IMUL r, r/m, imm.
template <class T>
bool multiply_signed(Core* core, T a, T b, T& result) {
  std::make_signed_t<T> r;
  const bool overflow =
      __builtin_mul_overflow(static_cast<std::make_signed_t<T>>(a), static_cast<std::make_signed_t<T>>(b), &r);
  result = static_cast<T>(r);
  (void)core;
  return overflow;
}

template <class T, bool three>
bool imul_memory(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(T), value)) return false;
  T result;
  const bool overflow = multiply_signed<T>(&core, static_cast<T>(value),
                                           three ? static_cast<T>(op.imm) : get<T>(&core, op.slot[0]), result);
  set<T>(&core, op.slot[0], result);
  core.lazy = multiply_flags(result, overflow);
  return true;
}

template <class T, bool three, bool with_flags>
void imul_register(Core* core, const Op* op, s64 budget) {
  const T a = get<T>(core, op->slot[1]), b = three ? static_cast<T>(op->imm) : get<T>(core, op->slot[0]);
  std::make_signed_t<T> r;
  const bool overflow =
      __builtin_mul_overflow(static_cast<std::make_signed_t<T>>(a), static_cast<std::make_signed_t<T>>(b), &r);
  set<T>(core, op->slot[0], static_cast<T>(r));
  if constexpr (with_flags) {
    // As multiply_flags, without the detour over bits: ZF is clear whatever the result.
    const u64 wide = sign_extend(static_cast<T>(r));
    const u64 result = wide ? wide : 1;
    const u32 parity = wide ? 0 : 1u << kParityDeltaShift;
    commit(core, {overflow | parity, result, 0});
  }
  MOCK_CPU_NEXT();
}

void select_imul(const Decoded& d, Op&, Selection& s) {
  const unsigned count = d.instruction.operand_count_visible;
  s.reads_flags = false;
  with_type(d.operand_bits(0), [&]<class T>() {
    // The one-operand form shows its implicit registers as visible operands too.
    const bool one = d.instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (d.instruction.opcode & 0xfe) == 0xf6;
    if (one) {
      s.handler = &call<multiply<T, true>>;
      s.overwrites_flags = true;
      return;
    }
    if constexpr (sizeof(T) > 1) {
      const bool three = count > 2;
      s.overwrites_flags = true;
      s.may_leave = d.is_memory(1);
      if (d.is_memory(1)) {
        s.handler = three ? &call<imul_memory<T, true>> : &call<imul_memory<T, false>>;
      } else {
        s.handler = three ? &imul_register<T, true, true> : &imul_register<T, false, true>;
        s.without_flags = three ? &imul_register<T, true, false> : &imul_register<T, false, false>;
      }
    }
  });
}

void select_mul(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.overwrites_flags = true;
  with_type(d.operand_bits(0), [&]<class T>() { s.handler = &call<multiply<T, false>>; });
}

// #DE for a zero divisor and for a quotient that does not fit. Flags are undefined; they stay.
template <class T, bool is_signed>
bool divide(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 0, sizeof(T), value)) return false;
  const T divisor = static_cast<T>(value);
  if (divisor == 0) return core.raise(DE);
  if constexpr (is_signed) {
    using S = typename Wide<T>::S;
    using N = std::make_signed_t<T>;
    const S dividend = static_cast<S>(get_double<T>(core));
    const S by = static_cast<N>(divisor);
    if (by == -1) {  // the quotient of the smallest number does not exist
      if (dividend == static_cast<S>(typename Wide<T>::U{1} << (2 * kBits<T> - 1))) return core.raise(DE);
    }
    const S quotient = dividend / by;
    if (quotient != static_cast<S>(static_cast<N>(quotient))) return core.raise(DE);
    set_double(core, static_cast<T>(quotient), static_cast<T>(dividend % by));
  } else {
    if constexpr (sizeof(T) > 1) {
      const T high = get<T>(&core, RDX * 8);
      if (high >= divisor) return core.raise(DE);
      if (high == 0) {  // the usual case, without a wide division
        const T low = get<T>(&core, RAX * 8);
        set_double(core, static_cast<T>(low / divisor), static_cast<T>(low % divisor));
        return true;
      }
    }
    const auto dividend = get_double<T>(core);
    const auto quotient = dividend / divisor;
    if (quotient >> kBits<T>) return core.raise(DE);
    set_double(core, static_cast<T>(quotient), static_cast<T>(dividend % divisor));
  }
  return true;
}

template <bool is_signed>
void select_divide(const Decoded& d, Op&, Selection& s) {
  with_type(d.operand_bits(0), [&]<class T>() { s.handler = &call<divide<T, is_signed>>; });
}

// MULX high, low, r/m: RDX times the operand, no flags. With both the same register the high half wins.
template <class T>
bool mulx(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 2, sizeof(T), value)) return false;
  const auto product = static_cast<typename Wide<T>::U>(get<T>(&core, RDX * 8)) * static_cast<T>(value);
  set<T>(&core, op.slot[1], static_cast<T>(product));
  set<T>(&core, op.slot[0], static_cast<T>(product >> kBits<T>));
  return true;
}

void select_mulx(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.handler = d.operand_bits(0) == 32 ? &call<mulx<u32>> : &call<mulx<u64>>;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_MUL, nullptr, 0, select_mul},           {ZYDIS_MNEMONIC_IMUL, nullptr, 0, select_imul},
    {ZYDIS_MNEMONIC_DIV, nullptr, 0, select_divide<false>}, {ZYDIS_MNEMONIC_IDIV, nullptr, 0, select_divide<true>},
    {ZYDIS_MNEMONIC_MULX, nullptr, 0, select_mulx},
};

}  // namespace

std::span<const Row> muldiv_rows() { return kRows; }

}  // namespace mock::cpu
