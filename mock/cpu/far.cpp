// JMP and CALL to another code segment, directly or through gates; see far.hpp. Returns are in far_return.cpp.
#include "mock/cpu/far.hpp"

#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_stack.hpp"
#include "mock/cpu/task.hpp"

namespace mock::cpu {
namespace {

struct Target {
  Selector selector;
  Descriptor code;
  u64 rip = 0;
};

u64 truncate(u64 offset, unsigned size) { return size == 8 ? offset : offset & ((u64{1} << (size * 8)) - 1); }

// Offset against the limit of the new segment (or canonical form in 64-bit code): #GP(0).
bool check_offset(Core& core, const Target& target) {
  const bool is_64 = core.is_long() && target.code.l();
  const bool ok =
      is_64 ? page_walk::is_canonical(target.rip, core.s.cr4 & CR4_LA57) : target.rip <= target.code.limit_bytes();
  return ok || core.raise(GP, 0);
}

// A code segment as the direct target of JMP or CALL, privilege unchanged.
bool check_direct(Core& core, Target& target) {
  const Descriptor& code = target.code;
  const u32 error = target.selector.error_code();
  const u8 cpl = core.s.cpl;
  if (core.is_long() && code.l() && code.db()) return core.raise(GP, error);
  const bool allowed = code.is_conforming() ? code.dpl() <= cpl : target.selector.rpl() <= cpl && code.dpl() == cpl;
  if (!allowed) return core.raise(GP, error);
  if (!code.present()) return core.raise(NP, error);
  return true;
}

void enter(Core& core, const Target& target, u8 cpl) {
  State& s = core.s;
  s.seg[CS] = segment_of({static_cast<u16>((target.selector.value & ~3) | cpl)}, target.code);
  s.cpl = cpl;
  s.rip = target.rip;
  core.mode_changed();
}

void enter_real(Core& core, u16 selector, u64 rip) {
  core.s.seg[CS] = core.is_v86() ? vm86_segment(selector) : real_mode_segment(core, CS, selector);
  core.s.rip = rip;
  core.mode_changed();
}

// The code segment behind a call gate: everything but the privilege rule.
bool read_gate_target(Core& core, const Descriptor& gate, Target& target) {
  target.selector = {gate.gate_selector()};
  if (target.selector.is_null()) return core.raise(GP, 0);
  const u32 error = target.selector.error_code();
  if (!read_descriptor(core, target.selector, GP, target.code)) return false;
  if (!target.code.is_code() || target.code.dpl() > core.s.cpl) return core.raise(GP, error);
  if (core.is_long() && (!target.code.l() || target.code.db())) return core.raise(GP, error);
  target.rip = core.is_long()               ? gate.gate_offset()
               : gate.type() == kCallGate16 ? gate.gate_offset16()
                                            : gate.gate_offset() & 0xffffffff;
  return true;
}

bool jump_through_gate(Core& core, const Descriptor& gate) {
  Target target;
  if (!read_gate_target(core, gate, target)) return false;
  const u32 error = target.selector.error_code();
  if (!target.code.is_conforming() && target.code.dpl() != core.s.cpl) return core.raise(GP, error);
  if (!target.code.present()) return core.raise(NP, error);
  if (!check_offset(core, target) || !set_accessed(core, target.selector, target.code)) return false;
  enter(core, target, core.s.cpl);
  return true;
}

bool push_return(Core& core, SystemStack& stack, unsigned size) {
  return stack.push(core.s.seg[CS].selector, size) && stack.push(core.s.rip, size);
}

bool copy_parameters(SystemStack& from, SystemStack& to, unsigned count, unsigned size) {
  for (unsigned i = count; i-- > 0;) {
    u64 value;
    if (!from.peek(u64{i} * size, value, size) || !to.push(value, size)) return false;
  }
  return true;
}

// A gate that leads to an inner privilege level: new stack from the TSS.
bool call_inner(Core& core, const Descriptor& gate, Target& target, unsigned size) {
  State& s = core.s;
  const u8 cpl = target.code.dpl();
  Segment ss = null_segment(cpl, 0);
  ss.attributes = static_cast<u16>(cpl << 5);
  u64 rsp = 0;
  const bool is_long = core.is_long();
  if (is_long ? !read_long_stack(core, cpl, rsp) : !read_inner_stack(core, cpl, ss, rsp)) return false;
  SystemStack old_stack = SystemStack::current(core);
  SystemStack stack = SystemStack::other(core, ss, rsp, is_long, cpl, is_long ? 0 : ss.selector & 0xfffcu);
  if (!stack.push(s.seg[SS].selector, size) || !stack.push(s.gpr[RSP], size)) return false;
  if (!is_long && !copy_parameters(old_stack, stack, gate.gate_parameters(), size)) return false;
  if (!push_return(core, stack, size) || !check_offset(core, target)) return false;
  if (!set_accessed(core, target.selector, target.code)) return false;
  stack.commit();
  s.seg[SS] = ss;
  enter(core, target, cpl);
  return true;
}

bool call_through_gate(Core& core, const Descriptor& gate) {
  Target target;
  if (!read_gate_target(core, gate, target)) return false;
  if (!target.code.present()) return core.raise(NP, target.selector.error_code());
  const unsigned size = core.is_long() ? 8 : gate.type() == kCallGate16 ? 2 : 4;
  if (!target.code.is_conforming() && target.code.dpl() < core.s.cpl) return call_inner(core, gate, target, size);
  SystemStack stack = core.is_long() ? SystemStack::other(core, core.s.seg[SS], core.s.gpr[RSP], true, core.s.cpl, 0)
                                     : SystemStack::current(core);
  if (!push_return(core, stack, size) || !check_offset(core, target)) return false;
  if (!set_accessed(core, target.selector, target.code)) return false;
  stack.commit();
  enter(core, target, core.s.cpl);
  return true;
}

// JMP and CALL to a system descriptor: gates and tasks.
bool transfer_to_system(Core& core, Selector selector, Descriptor gate, bool is_call) {
  const u32 error = selector.error_code();
  const bool is_gate = gate.type() == kCallGate32 || (gate.type() == kCallGate16 && !core.is_long());
  const bool is_task =
      !core.is_long() && (gate.type() == kTaskGate || gate.type() == kTss16Available || gate.type() == kTss32Available);
  if (!is_gate && !is_task) return core.raise(GP, error);
  if (gate.dpl() < core.s.cpl || gate.dpl() < selector.rpl()) return core.raise(GP, error);
  if (is_gate) {
    if (core.is_long() && !read_long_descriptor(core, selector, GP, gate)) return false;
    if (!gate.present()) return core.raise(NP, error);
    return is_call ? call_through_gate(core, gate) : jump_through_gate(core, gate);
  }
  if (gate.type() == kTaskGate) {
    if (!gate.present()) return core.raise(NP, error);
    selector = {gate.gate_selector()};
  }
  return switch_task(core, selector, is_call ? TaskSwitch::call : TaskSwitch::jump, nullptr);
}

bool far_transfer(Core& core, Selector selector, u64 offset, unsigned size, bool is_call) {
  Target target{.selector = selector, .rip = truncate(offset, size)};
  if (selector.is_null()) return core.raise(GP, 0);
  if (!read_descriptor(core, selector, GP, target.code)) return false;
  if (!target.code.is_code_or_data()) return transfer_to_system(core, selector, target.code, is_call);
  if (!target.code.is_code()) return core.raise(GP, selector.error_code());
  if (!check_direct(core, target)) return false;
  SystemStack stack = SystemStack::current(core);
  if (is_call && !push_return(core, stack, size)) return false;
  if (!check_offset(core, target) || !set_accessed(core, selector, target.code)) return false;
  if (is_call) stack.commit();
  enter(core, target, core.s.cpl);
  return true;
}

// The selector:offset operand: an immediate (offset in imm, selector in disp) or memory.
bool read_far_pointer(Core& core, const Op& op, unsigned size, u16& selector, u64& offset) {
  if (!op.is_memory(0)) {
    selector = static_cast<u16>(op.disp);
    offset = static_cast<u32>(op.imm);
    return true;
  }
  const u64 address = core.effective_address(op);
  u64 linear;
  offset = 0;
  if (!core.linear(op.segment(), address, size + 2, Access::read, linear)) return false;
  return core.read_linear(linear, &offset, size) && core.read_linear(linear + size, &selector, 2);
}

}  // namespace

bool far_jump(Core& core, u16 selector, u64 offset, unsigned size) {
  if (core.is_protected() && !core.is_v86()) return far_transfer(core, {selector}, offset, size, false);
  const u64 rip = truncate(offset, size);
  if (rip > core.s.seg[CS].limit_bytes) return core.raise(GP, 0);
  enter_real(core, selector, rip);
  return true;
}

bool far_call(Core& core, u16 selector, u64 offset, unsigned size) {
  if (core.is_protected() && !core.is_v86()) return far_transfer(core, {selector}, offset, size, true);
  const u64 rip = truncate(offset, size);
  SystemStack stack = SystemStack::current(core);
  if (!push_return(core, stack, size)) return false;
  if (rip > core.s.seg[CS].limit_bytes) return core.raise(GP, 0);
  stack.commit();
  enter_real(core, selector, rip);
  return true;
}

bool jmp_far(Core& core, const Op& op) {
  u16 selector;
  u64 offset;
  return read_far_pointer(core, op, op.size_bytes(), selector, offset) &&
         far_jump(core, selector, offset, op.size_bytes());
}

bool call_far(Core& core, const Op& op) {
  u16 selector;
  u64 offset;
  return read_far_pointer(core, op, op.size_bytes(), selector, offset) &&
         far_call(core, selector, offset, op.size_bytes());
}

}  // namespace mock::cpu
