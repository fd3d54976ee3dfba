// Near JMP, Jcc, CALL, RET, LOOP, JCXZ. Far forms belong to the system family (far.hpp).
#include "mock/cpu/far.hpp"
#include "mock/cpu/handler_kit.hpp"

namespace mock::cpu {

namespace {

bool is_canonical(const Core& core, u64 address) {
  const unsigned shift = core.s.cr4 & CR4_LA57 ? 7 : 16;
  return static_cast<u64>(static_cast<s64>(address << shift) >> shift) == address;
}

// A near branch to a place outside the code segment faults on the branch (SDM vol. 2, JMP).
bool target_ok(Core& core, u64 target) {
  if (core.is_64bit() ? is_canonical(core, target) : target <= core.code_last) return true;
  return core.raise(GP, 0);
}

// --- JMP, Jcc
// ----------------------------------------------------------------------------------------------------------------

void jmp(Core* core, const Op* op, s64 budget) { MOCK_CPU_FOLLOW(taken, taken_rip); }

template <unsigned code>
void jcc(Core* core, const Op* op, s64 budget) {
  if (condition<code>(core->lazy)) MOCK_CPU_FOLLOW(taken, taken_rip);
  MOCK_CPU_FOLLOW(fall, fall_rip);
}

// The target lies outside the segment or is not canonical.
bool jmp_outside(Core& core, const Op&) { return core.raise(GP, 0); }

template <unsigned code>
bool jcc_outside(Core& core, const Op&) {
  return condition<code>(core.lazy) ? core.raise(GP, 0) : true;
}

bool relative_call(Core& core, const Op& op) { return core.push(core.next_rip_of(op), op.size_bytes()); }

void call_near_slow(Core* core, const Op* op, s64 budget) {
  note_access(core, op);
  if (!relative_call(*core, *op)) [[unlikely]]
    MOCK_CPU_TAIL(leave_fault);
  core->s.rip = links_of(op)->taken_rip;
  if (core->after) [[unlikely]]
    MOCK_CPU_TAIL(leave_retired);
  MOCK_CPU_FOLLOW(taken, taken_rip);
}

void call_near64(Core* core, const Op* op, s64 budget) {
  const u64 address = core->s.gpr[RSP] - 8;
  note_access(core, op);
  u8* const host = fast_write<8>(core, address);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call_near_slow);
  store<u64>(host, links_of(op)->fall_rip);
  core->s.gpr[RSP] = address;
  MOCK_CPU_FOLLOW(taken, taken_rip);
}

template <class T>
void call_near_narrow(Core* core, const Op* op, s64 budget) {
  const u64 mask = narrow_stack_mask(core), sp = (core->s.gpr[RSP] - sizeof(T)) & mask;
  note_access(core, op);
  u8* const host = fast_stack<T, true>(core, sp);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call_near_slow);
  store<T>(host, static_cast<T>(links_of(op)->fall_rip));
  set_narrow_stack_pointer(core, mask, sp);
  MOCK_CPU_FOLLOW(taken, taken_rip);
}

// --- Computed targets
// ---------------------------------------------------------------------------------------------------------

bool jmp_computed(Core& core, const Op& op) {
  u64 target;
  if (!core.read_operand(op, 0, op.size_bytes(), target) || !target_ok(core, target)) return false;
  core.s.rip = target;
  return true;
}

bool call_computed(Core& core, const Op& op) {
  u64 target;
  if (!core.read_operand(op, 0, op.size_bytes(), target) || !target_ok(core, target) ||
      !core.push(core.s.rip, op.size_bytes()))
    return false;
  core.s.rip = target;
  return true;
}

bool ret_near(Core& core, const Op& op) {
  const u64 sp = core.s.gpr[RSP];
  u64 target;
  if (!core.pop(target, op.size_bytes())) return false;
  if (!target_ok(core, target)) {
    core.s.gpr[RSP] = sp;
    return false;
  }
  const u64 mask = core.stack_mask();
  core.s.gpr[RSP] = (core.s.gpr[RSP] & ~mask) | ((core.s.gpr[RSP] + static_cast<u16>(op.imm)) & mask);
  core.s.rip = target;
  return true;
}

// Only canonical targets are ever in the jump cache.
void ret64(Core* core, const Op* op, s64 budget) {
  const u64 address = core->s.gpr[RSP];
  note_access(core, op);
  u8* const host = fast_read<8>(core, address);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<ret_near>);
  const u64 target = load<u64>(host);
  const JumpEntry& entry = jump_entry(core, target);
  if (entry.rip == target && may_enter(core, entry.block)) [[likely]] {
    const s64 left = budget - entry.block->count;
    if (left >= 0) [[likely]] {
      core->s.gpr[RSP] = address + 8 + static_cast<u16>(op->imm);
      MOCK_CPU_GO(entry.block->first(), left);
    }
  }
  MOCK_CPU_TAIL(call<ret_near>);
}

template <class T>
void ret_narrow(Core* core, const Op* op, s64 budget) {
  const u64 mask = narrow_stack_mask(core), sp = core->s.gpr[RSP] & mask;
  note_access(core, op);
  u8* const host = fast_stack<T, false>(core, sp);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<ret_near>);
  const u64 target = load<T>(host);
  const JumpEntry& entry = jump_entry(core, target);
  if (entry.rip == target && target <= core->code_last && may_enter(core, entry.block)) [[likely]] {
    const s64 left = budget - entry.block->count;
    if (left >= 0) [[likely]] {
      set_narrow_stack_pointer(core, mask, sp + sizeof(T) + static_cast<u16>(op->imm));
      MOCK_CPU_GO(entry.block->first(), left);
    }
  }
  MOCK_CPU_TAIL(call<ret_near>);
}

void jmp_register64(Core* core, const Op* op, s64 budget) {
  const u64 target = reg64(core, op->slot[0]);
  const JumpEntry& entry = jump_entry(core, target);
  if (entry.rip == target && may_enter(core, entry.block)) [[likely]] {
    const s64 left = budget - entry.block->count;
    if (left >= 0) [[likely]]
      MOCK_CPU_GO(entry.block->first(), left);
  }
  MOCK_CPU_TAIL(call<jmp_computed>);
}

bool is_far(const Decoded& d) { return d.instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR; }

void select_jmp(const Decoded& d, Op& op, Selection& s) {
  if (is_far(d))
    s.handler = &call<jmp_far>;
  else if (d.is_immediate(0))
    s.handler = d.target_is_outside ? &call<jmp_outside> : &jmp;
  else if (d.is_64bit() && d.is_register(0) && op.size_bytes() == 8)
    s.handler = &jmp_register64;
  else
    s.handler = &call<jmp_computed>;
}

void select_call(const Decoded& d, Op& op, Selection& s) {
  if (is_far(d))
    s.handler = &call<call_far>;
  else if (!d.is_immediate(0))
    s.handler = &call<call_computed>;
  else if (d.target_is_outside)
    s.handler = &call<jmp_outside>;
  else if (d.is_64bit())
    s.handler = op.size_bytes() == 8 ? &call_near64 : &call_near_slow;
  else
    s.handler = op.size_bytes() == 2 ? &call_near_narrow<u16> : &call_near_narrow<u32>;
}

void select_ret(const Decoded& d, Op& op, Selection& s) {
  if (is_far(d))
    s.handler = &call<ret_far>;
  else if (d.is_64bit())
    s.handler = op.size_bytes() == 8 ? &ret64 : &call<ret_near>;
  else
    s.handler = op.size_bytes() == 2 ? &ret_narrow<u16> : &ret_narrow<u32>;
}

template <unsigned code>
void select_jcc(const Decoded& d, Op&, Selection& s) {
  s.may_leave = d.target_is_outside;
  s.handler = d.target_is_outside ? &call<jcc_outside<code>> : &jcc<code>;
}

// --- LOOP, JCXZ: the counter has the address size
// ------------------------------------------------------------------------------

enum class Counter : u8 { loop, loope, loopne, jcxz };

template <Counter kind, bool outside>
void counted(Core* core, const Op* op, s64 budget) {
  const u64 mask = kAddressMask[(op->address >> 3) & 3];
  const u64 count = (core->s.gpr[RCX] - (kind == Counter::jcxz ? 0 : 1)) & mask;
  bool taken = (count != 0) != (kind == Counter::jcxz);
  if constexpr (kind == Counter::loope) taken = taken && lazy_zf(core->lazy);
  if constexpr (kind == Counter::loopne) taken = taken && !lazy_zf(core->lazy);
  if (outside && taken) MOCK_CPU_TAIL(call<jmp_outside>);
  if constexpr (kind != Counter::jcxz)
    core->s.gpr[RCX] =
        mask == 0xffff ? (core->s.gpr[RCX] & ~mask) | count : count;  // a 32-bit result clears the upper half
  if (taken) MOCK_CPU_FOLLOW(taken, taken_rip);
  MOCK_CPU_FOLLOW(fall, fall_rip);
}

template <Counter kind>
void select_counted(const Decoded& d, Op&, Selection& s) {
  s.handler = d.target_is_outside ? &counted<kind, true> : &counted<kind, false>;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_JMP, nullptr, kEndsBlock, select_jmp},
    {ZYDIS_MNEMONIC_CALL, nullptr, kEndsBlock, select_call},
    {ZYDIS_MNEMONIC_RET, nullptr, kEndsBlock, select_ret},
    {ZYDIS_MNEMONIC_JO, nullptr, kEndsBlock, select_jcc<0>},
    {ZYDIS_MNEMONIC_JNO, nullptr, kEndsBlock, select_jcc<1>},
    {ZYDIS_MNEMONIC_JB, nullptr, kEndsBlock, select_jcc<2>},
    {ZYDIS_MNEMONIC_JNB, nullptr, kEndsBlock, select_jcc<3>},
    {ZYDIS_MNEMONIC_JZ, nullptr, kEndsBlock, select_jcc<4>},
    {ZYDIS_MNEMONIC_JNZ, nullptr, kEndsBlock, select_jcc<5>},
    {ZYDIS_MNEMONIC_JBE, nullptr, kEndsBlock, select_jcc<6>},
    {ZYDIS_MNEMONIC_JNBE, nullptr, kEndsBlock, select_jcc<7>},
    {ZYDIS_MNEMONIC_JS, nullptr, kEndsBlock, select_jcc<8>},
    {ZYDIS_MNEMONIC_JNS, nullptr, kEndsBlock, select_jcc<9>},
    {ZYDIS_MNEMONIC_JP, nullptr, kEndsBlock, select_jcc<10>},
    {ZYDIS_MNEMONIC_JNP, nullptr, kEndsBlock, select_jcc<11>},
    {ZYDIS_MNEMONIC_JL, nullptr, kEndsBlock, select_jcc<12>},
    {ZYDIS_MNEMONIC_JNL, nullptr, kEndsBlock, select_jcc<13>},
    {ZYDIS_MNEMONIC_JLE, nullptr, kEndsBlock, select_jcc<14>},
    {ZYDIS_MNEMONIC_JNLE, nullptr, kEndsBlock, select_jcc<15>},
    {ZYDIS_MNEMONIC_LOOP, nullptr, kEndsBlock, select_counted<Counter::loop>},
    {ZYDIS_MNEMONIC_LOOPE, nullptr, kEndsBlock, select_counted<Counter::loope>},
    {ZYDIS_MNEMONIC_LOOPNE, nullptr, kEndsBlock, select_counted<Counter::loopne>},
    {ZYDIS_MNEMONIC_JCXZ, nullptr, kEndsBlock, select_counted<Counter::jcxz>},
    {ZYDIS_MNEMONIC_JECXZ, nullptr, kEndsBlock, select_counted<Counter::jcxz>},
    {ZYDIS_MNEMONIC_JRCXZ, nullptr, kEndsBlock, select_counted<Counter::jcxz>},
};

}  // namespace

std::span<const Row> branch_rows() { return kRows; }

}  // namespace mock::cpu
