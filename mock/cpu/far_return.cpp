// RETF and IRET; see far.hpp.
#include "mock/cpu/far.hpp"
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_stack.hpp"
#include "mock/cpu/task.hpp"

namespace mock::cpu {
namespace {

struct Return {
  u64 rip = 0;
  Selector cs;
  Descriptor code;
};

// The code segment on the stack as a target of RETF or IRET: same or outer privilege.
bool check_code(Core& core, Return& target) {
  if (target.cs.is_null()) return core.raise(GP, 0);
  const u32 error = target.cs.error_code();
  if (!read_descriptor(core, target.cs, GP, target.code)) return false;
  const Descriptor& code = target.code;
  if (!code.is_code() || target.cs.rpl() < core.s.cpl) return core.raise(GP, error);
  if (core.is_long() && code.l() && code.db()) return core.raise(GP, error);
  if (code.is_conforming() ? code.dpl() > target.cs.rpl() : code.dpl() != target.cs.rpl()) return core.raise(GP, error);
  if (!code.present()) return core.raise(NP, error);
  return true;
}

bool is_64bit_target(const Core& core, const Return& target) { return core.is_long() && target.code.l(); }

bool check_offset(Core& core, const Return& target) {
  const bool ok = is_64bit_target(core, target) ? page_walk::is_canonical(target.rip, core.s.cr4 & CR4_LA57)
                                                : target.rip <= target.code.limit_bytes();
  return ok || core.raise(GP, 0);
}

// SS of the level that is returned to. A null selector is fine for 64-bit code below privilege 3.
bool check_return_stack(Core& core, const Return& target, Selector selector, Segment& ss) {
  const u8 cpl = target.cs.rpl();
  if (selector.is_null() && is_64bit_target(core, target) && cpl != 3) {
    if (selector.rpl() != cpl) return core.raise(GP, selector.error_code());
    ss = null_segment(selector.value, 0);
    ss.attributes = static_cast<u16>(cpl << 5);
    return true;
  }
  if (selector.is_null()) return core.raise(GP, 0);
  return check_stack_segment(core, selector, cpl, GP, ss);
}

void set_stack_pointer(Core& core, u64 value) {
  u64& rsp = core.s.gpr[RSP];
  const u64 mask = core.stack_mask();
  rsp = (mask == 0xffff ? rsp & ~mask : 0) | (value & mask);
}

void enter(Core& core, const Return& target) {
  State& s = core.s;
  s.seg[CS] = segment_of(target.cs, target.code);
  s.cpl = target.cs.rpl();
  s.rip = target.rip;
}

// Flags that IRET may change at privilege `cpl` (SDM vol. 2 IRET).
u64 merge_flags(const Core& core, u64 popped, unsigned size, u8 cpl) {
  u64 mask = kArithFlags | TF | DF | NT;
  if (size > 2) mask |= RF | AC | ID;
  if (cpl <= core.iopl()) mask |= IF;
  if (cpl == 0) mask |= IOPL | (size > 2 ? VIF | VIP : 0u);
  return (core.rflags() & ~mask) | (popped & mask);
}

// IRET inside a virtual-8086 task whose monitor keeps IOPL below 3: with CR4.VME the 16-bit form acts on VIF
// (APM vol. 3 IRET).
bool may_return_virtual(const Core& core, u64 flags, unsigned size) {
  return (core.s.cr4 & CR4_VME) && size == 2 && !(flags & TF) && !((flags & IF) && (core.rflags() & VIP));
}

bool iret_real(Core& core, unsigned size) {
  const bool is_virtual = core.is_v86() && core.iopl() < 3;
  if (is_virtual && !(core.s.cr4 & CR4_VME)) return core.raise(GP, 0);
  SystemStack stack = SystemStack::current(core);
  u64 rip, cs, flags;
  if (!stack.pop(rip, size) || !stack.pop(cs, size) || !stack.pop(flags, size)) return false;
  if (rip > core.s.seg[CS].limit_bytes) return core.raise(GP, 0);
  if (is_virtual && !may_return_virtual(core, flags, size)) return core.raise(GP, 0);
  u64 mask = kArithFlags | TF | DF | NT;
  if (is_virtual) {
    flags |= flags & IF ? VIF : 0u;
    mask |= VIF;
  } else {
    mask |= IF;
  }
  if (!core.is_v86()) mask |= IOPL;
  if (size > 2) mask |= RF | AC | ID;
  stack.commit();
  core.s.seg[CS] =
      core.is_v86() ? vm86_segment(static_cast<u16>(cs)) : real_mode_segment(core, CS, static_cast<u16>(cs));
  core.s.rip = rip;
  core.set_rflags((core.rflags() & ~mask) | (flags & mask));
  return true;
}

// EIP, CS and EFLAGS are popped; ESP, SS, ES, DS, FS, GS follow.
bool iret_to_v86(Core& core, SystemStack& stack, u64 rip, u64 cs, u64 flags) {
  State& s = core.s;
  u64 esp, selectors[5];
  if (!stack.pop(esp, 4)) return false;
  for (u64& selector : selectors) {
    if (!stack.pop(selector, 4)) return false;
  }
  if (rip > 0xffff) return core.raise(GP, 0);
  constexpr SegReg kOrder[] = {SS, ES, DS, FS, GS};
  for (int i = 0; i < 5; ++i) s.seg[kOrder[i]] = vm86_segment(static_cast<u16>(selectors[i]));
  s.seg[CS] = vm86_segment(static_cast<u16>(cs));
  s.gpr[RSP] = esp;
  s.rip = rip;
  s.cpl = 3;
  constexpr u64 kMask = kArithFlags | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;
  core.set_rflags(kFlagsFixedOne | (flags & kMask));
  return true;
}

bool iret_protected(Core& core, unsigned size) {
  State& s = core.s;
  SystemStack stack = SystemStack::current(core);
  Return target;
  u64 cs, flags;
  if (!stack.pop(target.rip, size) || !stack.pop(cs, size) || !stack.pop(flags, size)) return false;
  if ((flags & VM) && size == 4 && s.cpl == 0 && !core.is_long())
    return iret_to_v86(core, stack, target.rip, cs, flags);
  target.cs = {static_cast<u16>(cs)};
  if (!check_code(core, target)) return false;
  const bool pops_stack = core.is_64bit() || target.cs.rpl() > s.cpl;
  u64 rsp = 0;
  Segment ss = s.seg[SS];
  if (pops_stack) {
    u64 selector;
    if (!stack.pop(rsp, size) || !stack.pop(selector, size)) return false;
    if (!check_return_stack(core, target, {static_cast<u16>(selector)}, ss)) return false;
  }
  if (!check_offset(core, target) || !set_accessed(core, target.cs, target.code)) return false;
  const u8 old_cpl = s.cpl;
  const u64 new_flags = merge_flags(core, flags, size, old_cpl);
  if (!pops_stack) stack.commit();
  enter(core, target);
  if (pops_stack) {
    s.seg[SS] = ss;
    set_stack_pointer(core, rsp);
  }
  if (s.cpl > old_cpl) drop_inner_segments(core, s.cpl);
  core.set_rflags(new_flags);
  return true;
}

bool iret_task(Core& core) {
  if (core.is_long()) return core.raise(GP, 0);
  u16 link;
  if (!core.read_system(core.s.tr.base, link)) return false;
  return switch_task(core, {link}, TaskSwitch::iret, nullptr);
}

// QUIRK(kvm_amd, all, disable_nmi_singlestep): to let a waiting NMI in, KVM makes a single step of the IRET with TF and
// RF set, and then takes away what was clear before; or the step is user space's if that asks for steps.
void end_step_to_nmi(Core& core, u32 flags_before) {
  if (!core.s.owner.steps) {
    core.flags &= flags_before | ~u32{TF | RF};
    return;
  }
  core.s.event = {};
  core.s.event.kind = Event::Kind::exception;
  core.s.event.vector = DB;
  core.s.event.payload = kDr6SingleStep;
}

}  // namespace

bool far_return(Core& core, unsigned size, u16 extra_bytes) {
  State& s = core.s;
  SystemStack stack = SystemStack::current(core);
  Return target;
  u64 cs;
  if (!stack.pop(target.rip, size) || !stack.pop(cs, size)) return false;
  target.cs = {static_cast<u16>(cs)};
  if (core.is_real() || core.is_v86()) {
    if (target.rip > s.seg[CS].limit_bytes) return core.raise(GP, 0);
    stack.drop(extra_bytes);
    stack.commit();
    s.seg[CS] = core.is_v86() ? vm86_segment(target.cs.value) : real_mode_segment(core, CS, target.cs.value);
    s.rip = target.rip;
    core.mode_changed();
    return true;
  }
  if (!check_code(core, target)) return false;
  stack.drop(extra_bytes);
  const bool outer = target.cs.rpl() > s.cpl;
  u64 rsp = 0;
  Segment ss = s.seg[SS];
  if (outer) {
    u64 selector;
    if (!stack.pop(rsp, size) || !stack.pop(selector, size)) return false;
    if (!check_return_stack(core, target, {static_cast<u16>(selector)}, ss)) return false;
  }
  if (!check_offset(core, target) || !set_accessed(core, target.cs, target.code)) return false;
  if (!outer) stack.commit();
  enter(core, target);
  if (outer) {
    s.seg[SS] = ss;
    set_stack_pointer(core, rsp + extra_bytes);
    drop_inner_segments(core, s.cpl);
  }
  core.mode_changed();
  return true;
}

bool interrupt_return(Core& core, unsigned size) {
  bool done;
  const u32 flags_before = core.flags;
  if (core.is_real() || core.is_v86()) {
    done = iret_real(core, size);
  } else if (core.flags & NT) {
    done = iret_task(core);
  } else {
    done = iret_protected(core, size);
  }
  // NMIs are let in also by an IRET that faults (SDM vol. 3 6.7.1).
  if (!done && core.fault.is_stop) return false;
  core.s.nmi_blocked = false;
  core.nmi_held_back = core.s.nmi_pending;
  if (core.s.nmi_pending) core.s.attention.fetch_or(kAttentionNmi);
  if (!done) return false;
  core.keep_rf = true;
  if (core.nmi_held_back) end_step_to_nmi(core, flags_before);
  core.mode_changed();
  return true;
}

bool ret_far(Core& core, const Op& op) { return far_return(core, op.size_bytes(), static_cast<u16>(op.imm)); }

bool iret(Core& core, const Op& op) { return interrupt_return(core, op.size_bytes()); }

}  // namespace mock::cpu
