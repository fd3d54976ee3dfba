// PUSH POP PUSHA POPA PUSHF POPF ENTER LEAVE. Fast handlers for words of the mode's width (narrow: 16- and 32-bit
// modes); the general ones serve everything.
#include <algorithm>

#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {

namespace {

// --- PUSH
// ------------------------------------------------------------------------------------------------------------------

bool push_register(Core& core, const Op& op) {
  return core.push(core.register_value(op.slot[0], op.size_bytes()), op.size_bytes());
}
bool push_immediate(Core& core, const Op& op) {
  return core.push(static_cast<u64>(static_cast<s64>(op.imm)), op.size_bytes());
}
bool push_memory(Core& core, const Op& op) {
  u64 value;
  return core.read_operand(op, 0, op.size_bytes(), value) && core.push(value, op.size_bytes());
}

template <bool immediate>
void push64(Core* core, const Op* op, s64 budget) {
  const u64 address = core->s.gpr[RSP] - 8;
  note_access(core, op);
  u8* const host = fast_write<8>(core, address);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL((call < immediate ? push_immediate : push_register >));
  store<u64>(host, immediate ? static_cast<u64>(static_cast<s64>(op->imm)) : reg64(core, op->slot[0]));
  core->s.gpr[RSP] = address;
  MOCK_CPU_NEXT();
}

template <class T, bool immediate>
void push_narrow(Core* core, const Op* op, s64 budget) {
  const u64 mask = narrow_stack_mask(core), sp = (core->s.gpr[RSP] - sizeof(T)) & mask;
  note_access(core, op);
  u8* const host = fast_stack<T, true>(core, sp);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL((call < immediate ? push_immediate : push_register >));
  store<T>(host, immediate ? static_cast<T>(op->imm) : get<T>(core, op->slot[0]));
  set_narrow_stack_pointer(core, mask, sp);
  MOCK_CPU_NEXT();
}

void select_push(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = false;
  if (d.is_register(0) && ZydisRegisterGetClass(d.operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT)
    s.handler = &call<push_segment>;
  else if (d.is_memory(0))
    s.handler = &call<push_memory>;
  else if (d.is_64bit() && op.size_bytes() == 8)
    s.handler = d.is_register(0) ? &push64<false> : &push64<true>;
  else if (d.is_64bit())
    s.handler = d.is_register(0) ? &call<push_register> : &call<push_immediate>;
  else if (op.size_bytes() == 2)
    s.handler = d.is_register(0) ? &push_narrow<u16, false> : &push_narrow<u16, true>;
  else
    s.handler = d.is_register(0) ? &push_narrow<u32, false> : &push_narrow<u32, true>;
}

// --- POP
// ---------------------------------------------------------------------------------------------------------------------

bool pop_register(Core& core, const Op& op) {
  u64 value;
  if (!core.pop(value, op.size_bytes())) return false;
  core.set_register(op.slot[0], op.size_bytes(), value);
  return true;
}

// The address is computed with the stack pointer already moved.
bool pop_memory(Core& core, const Op& op) {
  const u64 sp = core.s.gpr[RSP];
  u64 value;
  if (!core.pop(value, op.size_bytes())) return false;
  if (core.write_operand(op, 0, op.size_bytes(), value)) return true;
  core.s.gpr[RSP] = sp;
  return false;
}

void pop64(Core* core, const Op* op, s64 budget) {
  const u64 address = core->s.gpr[RSP];
  note_access(core, op);
  u8* const host = fast_read<8>(core, address);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<pop_register>);
  core->s.gpr[RSP] = address + 8;
  set<u64>(core, op->slot[0], load<u64>(host));
  MOCK_CPU_NEXT();
}

template <class T>
void pop_narrow(Core* core, const Op* op, s64 budget) {
  const u64 mask = narrow_stack_mask(core), sp = core->s.gpr[RSP] & mask;
  note_access(core, op);
  u8* const host = fast_stack<T, false>(core, sp);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<pop_register>);
  set_narrow_stack_pointer(core, mask, sp + sizeof(T));
  set<T>(core, op->slot[0], load<T>(host));
  MOCK_CPU_NEXT();
}

void select_pop(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = false;
  if (d.is_register(0) && ZydisRegisterGetClass(d.operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
    s.handler = &call<pop_segment>;
    op.prefixes |= 16;
  } else if (d.is_memory(0)) {
    s.handler = &call<pop_memory>;
  } else if (d.is_64bit()) {
    s.handler = op.size_bytes() == 8 ? &pop64 : &call<pop_register>;
  } else {
    s.handler = op.size_bytes() == 2 ? &pop_narrow<u16> : &pop_narrow<u32>;
  }
}

// --- PUSHA POPA
// ------------------------------------------------------------------------------------------------------------

template <unsigned size>
bool pusha(Core& core, const Op&) {
  const u64 sp = core.s.gpr[RSP];
  for (unsigned r = RAX; r <= RDI; ++r) {
    DeviceLog& log = core.device;
    const auto earlier = log.writes;
    if (!core.push(r == RSP ? sp : core.s.gpr[r], size)) {
      core.s.gpr[RSP] = sp;
      return false;
    }
    // QUIRK(kvm, all, emulator_read_write): of several writes to devices only the last one makes an exit.
    if (log.writes == earlier) continue;
    std::copy(log.write.begin() + earlier, log.write.begin() + log.writes, log.write.begin());
    log.writes = static_cast<u8>(log.writes - earlier);
  }
  return true;
}

template <unsigned size>
bool popa(Core& core, const Op&) {
  const u64 sp = core.s.gpr[RSP];
  u64 values[8];
  for (unsigned r = 8; r-- > 0;) {
    if (core.pop(values[r], size)) continue;
    core.s.gpr[RSP] = sp;
    return false;
  }
  for (unsigned r = RAX; r <= RDI; ++r)
    if (r != RSP) core.set_register(static_cast<u8>(r * 8), size, values[r]);
  return true;
}

// --- PUSHF POPF (SDM vol. 2: tables of POPF by mode)
// ----------------------------------------------------------------------------

bool pushf(Core& core, const Op& op) {
  u64 value = core.rflags() & ~u64{VM | RF};
  if (core.is_v86() && core.iopl() < 3) {
    if (!(core.s.cr4 & CR4_VME) || op.size_bytes() != 2) return core.raise(GP, 0);
    value = (value & ~u64{IF}) | (value & VIF ? IF : 0u) | IOPL;
  }
  return core.push(value, op.size_bytes());
}

bool popf(Core& core, const Op& op) {
  const unsigned size = op.size_bytes();
  const u64 before = core.rflags();
  const u64 sp = core.s.gpr[RSP];
  const bool virtual_if = core.is_v86() && core.iopl() < 3;
  if (virtual_if && (!(core.s.cr4 & CR4_VME) || size != 2)) return core.raise(GP, 0);
  u64 popped;
  if (!core.pop(popped, size)) return false;
  if (virtual_if) {
    if ((popped & TF) || ((popped & IF) && (before & VIP))) {
      core.s.gpr[RSP] = sp;
      return core.raise(GP, 0);
    }
    const u64 mask = kArithFlags | TF | DF | NT;
    core.set_rflags((before & ~(mask | VIF)) | (popped & mask) | (popped & IF ? VIF : 0u));
    return true;
  }
  u64 mask = kArithFlags | TF | DF | NT;
  if (size > 2) mask |= AC | ID;
  if (core.s.cpl == 0) mask |= IOPL;
  if (core.s.cpl <= core.iopl() || core.is_real()) mask |= IF;
  core.set_rflags(((before & ~mask) | (popped & mask)) & ~u64{size > 2 ? RF : 0u});
  return true;
}

// --- ENTER LEAVE
// -------------------------------------------------------------------------------------------------------------

bool enter(Core& core, const Op& op) {
  const unsigned size = op.size_bytes(), levels = static_cast<unsigned>(op.disp) & 31;
  const u16 bytes = static_cast<u16>(op.imm);
  const u64 sp = core.s.gpr[RSP], bp = core.s.gpr[RBP], mask = core.stack_mask();
  const auto fail = [&] {
    core.s.gpr[RSP] = sp;
    return false;
  };
  if (!core.push(bp, size)) return fail();
  const u64 frame = core.s.gpr[RSP];
  u64 link = bp;
  for (unsigned level = 1; level < levels; ++level) {
    link = (link & ~mask) | ((link - size) & mask);
    u64 address, value = 0;
    if (!core.linear(SS, link & mask, size, Access::read, address) || !core.read_linear(address, &value, size) ||
        !core.push(value, size))
      return fail();
  }
  if (levels && !core.push(frame, size)) return fail();
  const u64 top = (core.s.gpr[RSP] - bytes) & mask;
  // The new top must be writable (SDM: a write there is checked, not done).
  u64 address;
  if (!core.linear(SS, top, size, Access::write, address) || !core.probe_write(address, size)) return fail();
  core.s.gpr[RSP] = (sp & ~mask) | top;
  core.set_register(RBP * 8, size, frame);
  return true;
}

bool leave(Core& core, const Op& op) {
  const unsigned size = op.size_bytes();
  const u64 sp = core.s.gpr[RSP], mask = core.stack_mask();
  core.s.gpr[RSP] = (sp & ~mask) | (core.s.gpr[RBP] & mask);
  u64 value;
  if (!core.pop(value, size)) {
    // QUIRK(kvm, all, em_leave): an exit that waits for device memory shows the new stack pointer.
    if (!core.fault.is_stop || core.fault.stop != Stop::mmio_read) core.s.gpr[RSP] = sp;
    return false;
  }
  core.set_register(RBP * 8, size, value);
  return true;
}

void leave64(Core* core, const Op* op, s64 budget) {
  const u64 address = core->s.gpr[RBP];
  note_access(core, op);
  u8* const host = fast_read<8>(core, address);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<leave>);
  core->s.gpr[RSP] = address + 8;
  core->s.gpr[RBP] = load<u64>(host);
  MOCK_CPU_NEXT();
}

void select_leave(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = false;
  s.handler = d.is_64bit() && op.size_bytes() == 8 ? &leave64 : &call<leave>;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_PUSH, nullptr, 0, select_push},
    {ZYDIS_MNEMONIC_POP, nullptr, 0, select_pop},
    {ZYDIS_MNEMONIC_PUSHA, &call<pusha<2>>},
    {ZYDIS_MNEMONIC_PUSHAD, &call<pusha<4>>},
    {ZYDIS_MNEMONIC_POPA, &call<popa<2>>},
    {ZYDIS_MNEMONIC_POPAD, &call<popa<4>>},
    {ZYDIS_MNEMONIC_PUSHF, &call<pushf>},
    {ZYDIS_MNEMONIC_PUSHFD, &call<pushf>},
    {ZYDIS_MNEMONIC_PUSHFQ, &call<pushf>},
    {ZYDIS_MNEMONIC_POPF, &call<popf>, kEndsBlock},
    {ZYDIS_MNEMONIC_POPFD, &call<popf>, kEndsBlock},
    {ZYDIS_MNEMONIC_POPFQ, &call<popf>, kEndsBlock},
    {ZYDIS_MNEMONIC_ENTER, &call<enter>},
    {ZYDIS_MNEMONIC_LEAVE, nullptr, 0, select_leave},
};

}  // namespace

std::span<const Row> stack_rows() { return kRows; }

}  // namespace mock::cpu
