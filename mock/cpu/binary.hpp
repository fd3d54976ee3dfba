// Handlers of ADD OR ADC SBB AND SUB XOR CMP TEST: every form and size, with and without flags, fused with a
// conditional jump. Instantiated by arith.cpp, logic.cpp and compare.cpp.
#pragma once

#include "mock/cpu/handler_kit.hpp"

namespace mock::cpu {

// Any form, all checks; also LOCKed.
template <class F, class T>
__attribute__((noinline)) bool binary_slow(Core& core, const Op& op) {
  const bool carry = F::kReadsCarry && lazy_cf(core.lazy);
  T b;
  if (op.memory_operand() == 2) {
    u64 value;
    if (!core.read_operand(op, 1, sizeof(T), value)) return false;
    b = static_cast<T>(value);
    const Alu<T> r = F::template eval<T>(get<T>(&core, op.slot[0]), b, carry);
    if constexpr (F::kWrites) set<T>(&core, op.slot[0], r.result);
    core.lazy = r.flags;
    return true;
  }
  b = op.prefixes & 32 ? get<T>(&core, op.slot[1]) : static_cast<T>(op.imm);
  LazyFlags flags;
  if constexpr (F::kWrites) {
    const auto f = [&](T a) {
      const Alu<T> r = F::template eval<T>(a, b, carry);
      flags = r.flags;
      return r.result;
    };
    if (!update_memory<T>(core, op, op.lock(), f)) return false;
  } else {
    u64 a;
    if (!core.read_operand(op, 0, sizeof(T), a)) return false;
    flags = F::template eval<T>(static_cast<T>(a), b, carry).flags;
  }
  core.lazy = flags;
  return true;
}

// Does the operation; false: take the slow path.
template <class F, class T, Form form, Ea ea, bool with_flags>
__attribute__((always_inline)) inline bool binary_fast(Core* core, const Op* op, LazyFlags& flags) {
  const bool carry = F::kReadsCarry && lazy_cf(core->lazy);
  T a, b;
  u8* host = nullptr;
  if constexpr (has_memory(form)) {
    host = fast_operand < ea, sizeof(T), F::kWrites && form != Form::rm > (core, op);
    if (!host) [[unlikely]]
      return false;
  }
  if constexpr (form == Form::mr || form == Form::mi)
    a = load<T>(host);
  else
    a = get<T>(core, op->slot[0]);
  if constexpr (form == Form::rm)
    b = load<T>(host);
  else if constexpr (form == Form::rr || form == Form::mr)
    b = get<T>(core, op->slot[1]);
  else
    b = static_cast<T>(op->imm);
  const Alu<T> r = F::template eval<T>(a, b, carry);
  if constexpr (F::kWrites) {
    if constexpr (form == Form::mr || form == Form::mi)
      store<T>(host, r.result);
    else
      set<T>(core, op->slot[0], r.result);
  }
  if constexpr (with_flags) flags = r.flags;
  return true;
}

template <class F, class T, Form form, Ea ea, bool with_flags>
void binary(Core* core, const Op* op, s64 budget) {
  LazyFlags flags;
  if (!binary_fast<F, T, form, ea, with_flags>(core, op, flags)) [[unlikely]]
    MOCK_CPU_TAIL((call<binary_slow<F, T>>));
  if constexpr (with_flags) commit(core, flags);
  MOCK_CPU_NEXT();
}

// The slow path of a fused pair: the first half as usual, then the jump by the flags it left.
template <class F, class T, unsigned code>
void binary_jump_slow(Core* core, const Op* op, s64 budget) {
  if (!binary_slow<F, T>(*core, *op)) [[unlikely]]
    MOCK_CPU_TAIL(leave_fault);
  if (core->after) [[unlikely]]
    MOCK_CPU_TAIL(leave_retired);
  if (condition<code>(core->lazy)) MOCK_CPU_FOLLOW(taken, taken_rip);
  MOCK_CPU_FOLLOW(fall, fall_rip);
}

template <class F, class T, Form form, Ea ea, unsigned code>
void binary_jump(Core* core, const Op* op, s64 budget) {
  LazyFlags flags;
  if (!binary_fast<F, T, form, ea, true>(core, op, flags)) [[unlikely]]
    MOCK_CPU_TAIL((binary_jump_slow<F, T, code>));
  commit(core, flags);
  if (condition<code>(flags)) MOCK_CPU_FOLLOW(taken, taken_rip);
  MOCK_CPU_FOLLOW(fall, fall_rip);
}

template <class F, class T, Form form, Ea ea>
constexpr auto binary_jumps() {
  return []<unsigned... code>(std::integer_sequence<unsigned, code...>) {
    return std::array<Handler*, 16>{&binary_jump<F, T, form, ea, code>...};
  }
  (std::make_integer_sequence<unsigned, 16>{});
}

template <class F, class T, Form form, Ea ea>
inline constexpr auto kBinaryJumps = binary_jumps<F, T, form, ea>();

// fuse: which forms get fused handlers (they are many).
enum class Fuse : u8 { none, registers, all };

template <class F, class T, Form form, Ea ea, Fuse fuse>
void choose_binary(Selection& s) {
  s.handler = &binary<F, T, form, ea, true>;
  s.overwrites_flags = true;
  s.reads_flags = F::kReadsCarry;
  s.may_leave = has_memory(form);
  if constexpr (F::kWrites) s.without_flags = &binary<F, T, form, ea, false>;
  constexpr bool fused = kFewHandlers        ? std::is_same_v<F, Cmp> && sizeof(T) == 4 && form == Form::ri
                         : fuse == Fuse::all ? ea != Ea::general && sizeof(T) != 2
                                             : fuse == Fuse::registers && !has_memory(form);
  if constexpr (fused) s.fused = kBinaryJumps<F, T, form, ea>.data();
}

template <class F, Fuse fuse>
void select_binary(const Decoded& d, Op& op, Selection& s) {
  Form form;
  if (!form_of(d, form)) return;
  with_type(d.operand_bits(0), [&]<class T>() {
    if (op.lock()) {
      if (form == Form::mr) op.prefixes |= 32;
      s.handler = &call<binary_slow<F, T>>;
      return;
    }
    switch (form) {
      case Form::rr:
        return choose_binary<F, T, Form::rr, Ea::base, fuse>(s);
      case Form::ri:
        return choose_binary<F, T, Form::ri, Ea::base, fuse>(s);
      case Form::rm:
        return with_ea(ea_of(d, op), [&]<Ea ea>() { choose_binary<F, T, Form::rm, ea, fuse>(s); });
      case Form::mr:
        op.prefixes |= 32;
        return with_ea(ea_of(d, op), [&]<Ea ea>() { choose_binary<F, T, Form::mr, ea, fuse>(s); });
      case Form::mi:
        return with_ea(ea_of(d, op), [&]<Ea ea>() { choose_binary<F, T, Form::mi, ea, fuse>(s); });
    }
  });
}

}  // namespace mock::cpu
