// INC DEC NEG NOT.
#include "mock/cpu/handler_kit.hpp"

namespace mock::cpu {

namespace {

template <class F, class T>
__attribute__((noinline)) bool unary_slow(Core& core, const Op& op) {
  const bool carry = F::kReadsCarry && lazy_cf(core.lazy);
  LazyFlags flags;
  const auto f = [&](T a) {
    const Alu<T> r = F::template eval<T>(a, carry);
    flags = r.flags;
    return r.result;
  };
  if (!update_memory<T>(core, op, op.lock(), f)) return false;
  if constexpr (F::kFlags) core.lazy = flags;
  return true;
}

template <class F, class T, bool memory, Ea ea, bool with_flags>
void unary(Core* core, const Op* op, s64 budget) {
  const bool carry = F::kReadsCarry && lazy_cf(core->lazy);
  if constexpr (memory) {
    u8* const host = fast_operand<ea, sizeof(T), true>(core, op);
    if (!host) [[unlikely]]
      MOCK_CPU_TAIL((call<unary_slow<F, T>>));
    const Alu<T> r = F::template eval<T>(load<T>(host), carry);
    store<T>(host, r.result);
    if constexpr (F::kFlags) commit(core, r.flags);
  } else {
    const Alu<T> r = F::template eval<T>(get<T>(core, op->slot[0]), carry);
    set<T>(core, op->slot[0], r.result);
    if constexpr (F::kFlags && with_flags) commit(core, r.flags);
  }
  MOCK_CPU_NEXT();
}

template <class F, class T, unsigned code>
void unary_jump(Core* core, const Op* op, s64 budget) {
  const Alu<T> r = F::template eval<T>(get<T>(core, op->slot[0]), F::kReadsCarry && lazy_cf(core->lazy));
  set<T>(core, op->slot[0], r.result);
  commit(core, r.flags);
  if (condition<code>(r.flags)) MOCK_CPU_FOLLOW(taken, taken_rip);
  MOCK_CPU_FOLLOW(fall, fall_rip);
}

template <class F, class T>
constexpr auto unary_jumps() {
  return []<unsigned... code>(std::integer_sequence<unsigned, code...>) {
    return std::array<Handler*, 16>{&unary_jump<F, T, code>...};
  }
  (std::make_integer_sequence<unsigned, 16>{});
}

template <class F, class T>
inline constexpr auto kUnaryJumps = unary_jumps<F, T>();

template <class F>
void select_unary(const Decoded& d, Op& op, Selection& s) {
  s.overwrites_flags = F::kFlags;
  s.reads_flags = F::kReadsCarry;
  with_type(d.operand_bits(0), [&]<class T>() {
    if (op.lock()) {
      s.handler = &call<unary_slow<F, T>>;
    } else if (d.is_memory(0)) {
      s.handler = with_ea(ea_of(d, op), []<Ea ea>() { return &unary<F, T, true, ea, true>; });
    } else {
      s.handler = &unary<F, T, false, Ea::base, true>;
      s.may_leave = false;
      if constexpr (F::kFlags) {
        s.without_flags = &unary<F, T, false, Ea::base, false>;
        if constexpr (!kFewHandlers) s.fused = kUnaryJumps<F, T>.data();
      }
    }
  });
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_INC, nullptr, kLockable, select_unary<Inc>},
    {ZYDIS_MNEMONIC_DEC, nullptr, kLockable, select_unary<Dec>},
    {ZYDIS_MNEMONIC_NEG, nullptr, kLockable, select_unary<Neg>},
    {ZYDIS_MNEMONIC_NOT, nullptr, kLockable, select_unary<Not>},
};

}  // namespace

std::span<const Row> unary_rows() { return kRows; }

}  // namespace mock::cpu
