// BT BTS BTR BTC BSF BSR LZCNT TZCNT POPCNT, BMI1, BMI2, ADX, CMPXCHG CMPXCHG8B CMPXCHG16B XADD.
#include "mock/cpu/bits.hpp"

#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/memory.hpp"

namespace mock::cpu {

namespace {

// --- BT family: only CF changes; a bit number in a register reaches beyond the memory operand
// ---------------------------------------

enum class BitOp : u8 { test, set, reset, complement };

template <BitOp kind, class T>
constexpr T changed(T a, unsigned bit) {
  const T mask = static_cast<T>(T{1} << bit);
  switch (kind) {
    case BitOp::set:
      return a | mask;
    case BitOp::reset:
      return a & static_cast<T>(~mask);
    case BitOp::complement:
      return a ^ mask;
    default:
      return a;
  }
}

void set_cf(Core& core, bool cf) { core.lazy = with_cf(core.lazy, cf); }

template <BitOp kind, class T>
bool bit_memory(Core& core, const Op& op) {
  const bool by_register = op.prefixes & 32;
  const s64 number =
      by_register ? static_cast<s64>(sign_extend(get<T>(&core, op.slot[1]))) : static_cast<u8>(op.imm) & (kBits<T> - 1);
  const unsigned bit = static_cast<unsigned>(number) & (kBits<T> - 1);
  Op shifted = op;
  const u64 offset = (core.effective_address(op) +
                      static_cast<u64>((number >> __builtin_ctz(kBits<T>)) * static_cast<s64>(sizeof(T)))) &
                     kAddressMask[(op.address >> 3) & 3];
  shifted.base = shifted.index = kNoRegister;
  shifted.disp = static_cast<s64>(offset);
  bool cf = false;
  if constexpr (kind == BitOp::test) {
    u64 value;
    if (!core.read_operand(shifted, 0, sizeof(T), value)) return false;
    cf = value >> bit & 1;
  } else {
    if (!update_memory<T>(core, shifted, op.lock(), [&](T a) {
          cf = a >> bit & 1;
          return changed<kind, T>(a, bit);
        }))
      return false;
  }
  set_cf(core, cf);
  return true;
}

template <BitOp kind, class T, bool immediate>
void bit_register(Core* core, const Op* op, s64 budget) {
  const T a = get<T>(core, op->slot[0]);
  const unsigned bit =
      (immediate ? static_cast<unsigned>(op->imm) : static_cast<unsigned>(get<T>(core, op->slot[1]))) & (kBits<T> - 1);
  commit(core, with_cf(core->lazy, a >> bit & 1));
  if constexpr (kind != BitOp::test) set<T>(core, op->slot[0], changed<kind, T>(a, bit));
  MOCK_CPU_NEXT();
}

template <BitOp kind>
void select_bit(const Decoded& d, Op& op, Selection& s) {
  const bool immediate = d.is_immediate(1);
  if (!immediate) op.prefixes |= 32;
  s.may_leave = d.is_memory(0);
  with_type(d.operand_bits(0), [&]<class T>() {
    if constexpr (sizeof(T) > 1) {
      if (d.is_memory(0))
        s.handler = &call<bit_memory<kind, T>>;
      else
        s.handler = immediate ? &bit_register<kind, T, true> : &bit_register<kind, T, false>;
    }
  });
}

// --- One source, one destination
// --------------------------------------------------------------------------------------------------

template <class F, class T>
bool unary_source(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(T), value)) return false;
  LazyFlags flags = core.lazy;
  T result = get<T>(&core, op.slot[0]);
  const bool writes = F::template eval<T>(static_cast<T>(value), result, flags);
  if (writes) set<T>(&core, op.slot[0], result);
  core.lazy = flags;
  return true;
}

template <class F>
void select_unary_source(const Decoded& d, Op&, Selection& s) {
  s.may_leave = d.is_memory(1);
  with_type(d.operand_bits(0), [&]<class T>() {
    if constexpr (sizeof(T) > 1) s.handler = &call<unary_source<F, T>>;
  });
}

// --- Three operands: ANDN BEXTR BZHI PDEP PEXT
// ---------------------------------------------------------------------------------------

// memory: number of the operand that may be memory.
template <class F, class T, unsigned first, unsigned second>
bool three_operands(Core& core, const Op& op) {
  u64 a, b;
  if (!core.read_operand(op, first, sizeof(T), a) || !core.read_operand(op, second, sizeof(T), b)) return false;
  LazyFlags flags = core.lazy;
  set<T>(&core, op.slot[0], F::template eval<T>(static_cast<T>(a), static_cast<T>(b), flags));
  core.lazy = flags;
  return true;
}

template <class F>
void select_three_operands(const Decoded& d, Op& op, Selection& s) {
  s.may_leave = op.memory_operand();
  s.handler = d.operand_bits(0) == 32 ? &call<three_operands<F, u32, 1, 2>> : &call<three_operands<F, u64, 1, 2>>;
}

// --- ADCX ADOX
// ------------------------------------------------------------------------------------------------------------------------

template <bool overflow_chain, class T>
bool add_with_flag(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(T), value)) return false;
  const u32 bits = arith_bits(core.lazy);
  const u32 flag = overflow_chain ? OF : CF;
  const Alu<T> r = alu_add<T>(get<T>(&core, op.slot[0]), static_cast<T>(value), bits & flag);
  set<T>(&core, op.slot[0], r.result);
  core.set_arith_flags((bits & ~flag) | (lazy_cf(r.flags) ? flag : 0u));
  return true;
}

template <bool overflow_chain>
void select_adx(const Decoded& d, Op&, Selection& s) {
  s.handler =
      d.operand_bits(0) == 32 ? &call<add_with_flag<overflow_chain, u32>> : &call<add_with_flag<overflow_chain, u64>>;
}

// --- CMPXCHG XADD
// ---------------------------------------------------------------------------------------------------------------------

// The destination is written in any case (its old value on a mismatch), so it must be writable.
template <class T>
bool cmpxchg(Core& core, const Op& op) {
  const T expected = get<T>(&core, RAX * 8), wanted = get<T>(&core, op.slot[1]);
  T old{};
  if (op.is_memory(0)) {
    if (!update_memory<T>(core, op, op.lock(), [&](T a) {
          old = a;
          return a == expected ? wanted : a;
        }))
      return false;
  } else {
    old = get<T>(&core, op.slot[0]);
    if (old == expected) set<T>(&core, op.slot[0], wanted);
  }
  core.lazy = alu_sub(expected, old).flags;
  if (old != expected) set<T>(&core, RAX * 8, old);
  return true;
}

template <class T>
bool xadd(Core& core, const Op& op) {
  const T b = get<T>(&core, op.slot[1]);
  T old{};
  if (op.is_memory(0)) {
    if (!update_memory<T>(core, op, op.lock(), [&](T a) {
          old = a;
          return static_cast<T>(a + b);
        }))
      return false;
    set<T>(&core, op.slot[1], old);
  } else {
    old = get<T>(&core, op.slot[0]);
    set<T>(&core, op.slot[1], old);
    set<T>(&core, op.slot[0], static_cast<T>(old + b));
  }
  core.lazy = alu_add(old, b).flags;
  return true;
}

void select_cmpxchg(const Decoded& d, Op&, Selection& s) {
  with_type(d.operand_bits(0), [&]<class T>() { s.handler = &call<cmpxchg<T>>; });
}
void select_xadd(const Decoded& d, Op&, Selection& s) {
  with_type(d.operand_bits(0), [&]<class T>() { s.handler = &call<xadd<T>>; });
}

void set_zf(Core& core, bool zf) { core.set_arith_flags((arith_bits(core.lazy) & ~u32{ZF}) | (zf ? ZF : 0u)); }

// What was found; it is `expected` if the exchange took place.
MOCK_CPU_GUEST_ACCESS u64 compare_exchange_8(u8* host, u64 expected, u64 wanted) {
  __atomic_compare_exchange_n(reinterpret_cast<u64*>(host), &expected, wanted, false, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  return expected;
}

// Two halves of type T: EDX:EAX or RDX:RAX against memory, ECX:EBX or RCX:RBX into it.
template <class T>
bool cmpxchg_pair(Core& core, const Op& op) {
  struct Pair {
    T low, high;
    bool operator==(const Pair&) const = default;
  };
  const Pair expected{get<T>(&core, RAX * 8), get<T>(&core, RDX * 8)},
      wanted{get<T>(&core, RBX * 8), get<T>(&core, RCX * 8)};
  u64 linear;
  if (!core.linear(op.segment(), core.effective_address(op), sizeof(Pair), Access::write, linear)) return false;
  if (sizeof(T) == 8 && linear % 16) return core.raise(GP, 0);
  Pair old;
  bool ok, done = false;
  if constexpr (sizeof(T) == 4) {
    u8* const host = op.lock() ? locked_pointer(core, linear, 8, ok) : (ok = true, nullptr);
    if (!ok) return false;
    if (host) {
      old = __builtin_bit_cast(
          Pair, compare_exchange_8(host, __builtin_bit_cast(u64, expected), __builtin_bit_cast(u64, wanted)));
      note_locked_write(core, host, 8);
      done = true;
    }
  } else {
    u8* const host = op.lock() ? locked_pointer(core, linear, 16, ok) : (ok = true, nullptr);
    if (!ok) return false;
    if (host) {
      old = expected;
      compare_exchange_16(host, old.low, old.high, wanted.low, wanted.high);
      note_locked_write(core, host, 16);
      done = true;
    }
  }
  if (!done) {
    if (!core.probe_write(linear, sizeof(Pair)) || !core.read_linear(linear, &old, sizeof old)) return false;
    const Pair& result = old == expected ? wanted : old;
    if (!core.write_linear(linear, &result, sizeof result)) return false;
  }
  const bool equal = old == expected;
  if (!equal) {
    set<T>(&core, RAX * 8, old.low);
    set<T>(&core, RDX * 8, old.high);
  }
  set_zf(core, equal);
  return true;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_BT, nullptr, 0, select_bit<BitOp::test>},
    {ZYDIS_MNEMONIC_BTS, nullptr, kLockable, select_bit<BitOp::set>},
    {ZYDIS_MNEMONIC_BTR, nullptr, kLockable, select_bit<BitOp::reset>},
    {ZYDIS_MNEMONIC_BTC, nullptr, kLockable, select_bit<BitOp::complement>},
    {ZYDIS_MNEMONIC_BSF, nullptr, 0, select_unary_source<Bsf>},
    {ZYDIS_MNEMONIC_BSR, nullptr, 0, select_unary_source<Bsr>},
    {ZYDIS_MNEMONIC_LZCNT, nullptr, 0, select_unary_source<Lzcnt>},
    {ZYDIS_MNEMONIC_TZCNT, nullptr, 0, select_unary_source<Tzcnt>},
    {ZYDIS_MNEMONIC_POPCNT, nullptr, 0, select_unary_source<Popcnt>},
    {ZYDIS_MNEMONIC_BLSI, nullptr, 0, select_unary_source<Blsi>},
    {ZYDIS_MNEMONIC_BLSR, nullptr, 0, select_unary_source<Blsr>},
    {ZYDIS_MNEMONIC_BLSMSK, nullptr, 0, select_unary_source<Blsmsk>},
    {ZYDIS_MNEMONIC_ANDN, nullptr, 0, select_three_operands<Andn>},
    {ZYDIS_MNEMONIC_BEXTR, nullptr, 0, select_three_operands<Bextr>},
    {ZYDIS_MNEMONIC_BZHI, nullptr, 0, select_three_operands<Bzhi>},
    {ZYDIS_MNEMONIC_PDEP, nullptr, 0, select_three_operands<Pdep>},
    {ZYDIS_MNEMONIC_PEXT, nullptr, 0, select_three_operands<Pext>},
    {ZYDIS_MNEMONIC_ADCX, nullptr, 0, select_adx<false>},
    {ZYDIS_MNEMONIC_ADOX, nullptr, 0, select_adx<true>},
    {ZYDIS_MNEMONIC_CMPXCHG, nullptr, kLockable, select_cmpxchg},
    {ZYDIS_MNEMONIC_XADD, nullptr, kLockable, select_xadd},
    {ZYDIS_MNEMONIC_CMPXCHG8B, &call<cmpxchg_pair<u32>>, kLockable},
    {ZYDIS_MNEMONIC_CMPXCHG16B, &call<cmpxchg_pair<u64>>, kLockable},
};

}  // namespace

std::span<const Row> bits_rows() { return kRows; }

}  // namespace mock::cpu
