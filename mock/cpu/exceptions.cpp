// Delivery of events; see exceptions.hpp. SDM vol. 3 6.8-6.15, 20.1.4 (real mode), 20.3 (virtual-8086); APM vol.
// 2 8.2-8.9.
#include "mock/cpu/exceptions.hpp"

#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_stack.hpp"
#include "mock/cpu/task.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kDr6Traps = 0xf;
constexpr u64 kDr6FixedOnes = 0xffff0ff0;
constexpr u64 kDr7Gd = 1u << 13;

bool is_soft(const Event& event) { return event.kind == Event::Kind::soft_interrupt; }

u32 idt_error(const Event& event) { return event.vector * 8u + 2; }

// Faults other than #DB push RF set, so that a code breakpoint does not hit again (SDM vol. 3 17.3.1.1).
u64 pushed_flags(const Core& core, const Event& event) {
  u64 flags = core.rflags();
  constexpr u32 kNotFaults = 1u << DB | 1u << NMI | 1u << BP | 1u << OF_ | 1u << DF_ | 1u << MC;
  if (event.kind == Event::Kind::exception && event.vector < 32 && !(kNotFaults >> event.vector & 1)) flags |= RF;
  return flags;
}

bool deliver_real(Core& core, const Event& event) {
  State& s = core.s;
  const u32 offset = event.vector * 4u;
  if (offset + 3 > s.idtr.limit) return core.raise(GP, idt_error(event));
  u32 entry;
  if (!core.read_system(s.idtr.base + offset, entry)) return false;
  SystemStack stack = SystemStack::current(core);
  if (!stack.push(core.rflags(), 2) || !stack.push(s.seg[CS].selector, 2) || !stack.push(s.rip, 2)) return false;
  stack.commit();
  s.seg[CS] = real_mode_segment(core, CS, static_cast<u16>(entry >> 16));
  s.rip = entry & 0xffff;
  core.set_rflags(core.rflags() & ~u64{IF | TF | AC | RF});
  return true;
}

struct Target {
  Selector selector;
  Descriptor code;
  u8 cpl = 0;
  u64 rip = 0;
};

// The code segment that a gate names, as a target for an event.
bool check_target(Core& core, const Descriptor& gate, Target& target) {
  target.selector = {gate.gate_selector()};
  if (target.selector.is_null()) return core.raise(GP, 0);
  const u32 error = target.selector.error_code();
  if (!read_descriptor(core, target.selector, GP, target.code)) return false;
  const Descriptor& code = target.code;
  if (!code.is_code() || code.dpl() > core.s.cpl) return core.raise(GP, error);
  if (core.is_long() && (!code.l() || code.db())) return core.raise(GP, error);
  if (core.is_v86() && (code.is_conforming() || code.dpl() != 0)) return core.raise(GP, error);
  if (!code.present()) return core.raise(NP, error);
  target.cpl = code.is_conforming() ? core.s.cpl : code.dpl();
  const bool is_16 = gate.type() == kInterruptGate16 || gate.type() == kTrapGate16;
  target.rip = core.is_long() ? gate.gate_offset() : is_16 ? gate.gate_offset16() : gate.gate_offset() & 0xffffffff;
  if (core.is_long()) {
    if (!page_walk::is_canonical(target.rip, core.s.cr4 & CR4_LA57)) return core.raise(GP, 0);
  } else if (target.rip > code.limit_bytes()) {
    return core.raise(GP, 0);
  }
  return set_accessed(core, target.selector, target.code);
}

void enter(Core& core, const Target& target, bool clears_if) {
  State& s = core.s;
  s.seg[CS] = segment_of({static_cast<u16>((target.selector.value & ~3) | target.cpl)}, target.code);
  s.cpl = target.cpl;
  s.rip = target.rip;
  core.set_rflags(core.rflags() & ~u64{TF | NT | RF | VM} & ~u64{clears_if ? IF : 0u});
}

bool is_interrupt_gate(const Descriptor& gate) {
  return gate.type() == kInterruptGate16 || gate.type() == kInterruptGate32;
}

bool deliver_long(Core& core, const Event& event) {
  State& s = core.s;
  const u32 offset = event.vector * 16u;
  if (offset + 15 > s.idtr.limit) return core.raise(GP, idt_error(event));
  Descriptor gate;
  if (!core.read_system(s.idtr.base + offset, gate.raw) || !core.read_system(s.idtr.base + offset + 8, gate.upper)) {
    return false;
  }
  const bool is_gate = gate.type() == kInterruptGate32 || gate.type() == kTrapGate32;
  if (gate.is_code_or_data() || !is_gate) return core.raise(GP, idt_error(event));
  if (is_soft(event) && gate.dpl() < s.cpl) return core.raise(GP, idt_error(event));
  if (!gate.present()) return core.raise(NP, idt_error(event));
  Target target;
  if (!check_target(core, gate, target)) return false;

  u64 rsp = s.gpr[RSP];
  if (gate.gate_ist()) {
    if (!read_long_stack(core, gate.gate_ist() + 3, rsp)) return false;
  } else if (target.cpl < s.cpl) {
    if (!read_long_stack(core, target.cpl, rsp)) return false;
  }
  SystemStack stack = SystemStack::other(core, s.seg[SS], rsp, true, target.cpl, 0);
  stack.align16();
  const u64 frame[] = {s.seg[SS].selector, s.gpr[RSP], pushed_flags(core, event), s.seg[CS].selector, s.rip};
  for (const u64 value : frame) {
    if (!stack.push(value, 8)) return false;
  }
  if (event.has_error_code && !stack.push(event.error_code, 8)) return false;
  stack.commit();
  if (target.cpl < s.cpl) {
    s.seg[SS] = null_segment(target.cpl, 0);
    s.seg[SS].attributes = static_cast<u16>(target.cpl << 5);
  }
  enter(core, target, is_interrupt_gate(gate));
  return true;
}

bool push_legacy_frame(Core& core, SystemStack& stack, const Event& event, unsigned size, bool inner) {
  const State& s = core.s;
  if (core.is_v86()) {
    for (const SegReg reg : {GS, FS, DS, ES}) {
      if (!stack.push(s.seg[reg].selector, size)) return false;
    }
  }
  if (inner && (!stack.push(s.seg[SS].selector, size) || !stack.push(s.gpr[RSP], size))) return false;
  if (!stack.push(pushed_flags(core, event), size) || !stack.push(s.seg[CS].selector, size)) return false;
  if (!stack.push(s.rip, size)) return false;
  return !event.has_error_code || stack.push(event.error_code, size);
}

bool deliver_legacy(Core& core, const Event& event) {
  State& s = core.s;
  const u32 offset = event.vector * 8u;
  if (offset + 7 > s.idtr.limit) return core.raise(GP, idt_error(event));
  Descriptor gate;
  if (!core.read_system(s.idtr.base + offset, gate.raw)) return false;
  constexpr u32 kGates =
      1u << kTaskGate | 1u << kInterruptGate16 | 1u << kTrapGate16 | 1u << kInterruptGate32 | 1u << kTrapGate32;
  if (gate.is_code_or_data() || !(kGates >> gate.type() & 1)) return core.raise(GP, idt_error(event));
  if (is_soft(event) && gate.dpl() < s.cpl) return core.raise(GP, idt_error(event));
  if (!gate.present()) return core.raise(NP, idt_error(event));
  if (gate.type() == kTaskGate) {
    return switch_task(core, {gate.gate_selector()}, TaskSwitch::event,
                       event.has_error_code ? &event.error_code : nullptr);
  }
  Target target;
  if (!check_target(core, gate, target)) return false;

  const unsigned size = gate.type() & 8 ? 4 : 2;
  const bool inner = target.cpl < s.cpl;
  Segment new_ss = s.seg[SS];
  u64 rsp = s.gpr[RSP];
  if (inner && !read_inner_stack(core, target.cpl, new_ss, rsp)) return false;
  SystemStack stack = inner ? SystemStack::other(core, new_ss, rsp, false, target.cpl, new_ss.selector & 0xfffc)
                            : SystemStack::current(core);
  if (!push_legacy_frame(core, stack, event, size, inner)) return false;
  stack.commit();
  if (inner) s.seg[SS] = new_ss;
  if (core.is_v86()) {
    for (const SegReg reg : {GS, FS, DS, ES}) s.seg[reg] = null_segment(0, 0);
  }
  enter(core, target, is_interrupt_gate(gate));
  return true;
}

void apply_payload(Core& core, const Event& event) {
  if (event.kind != Event::Kind::exception || !event.has_payload) return;
  if (event.vector == PF_) core.s.cr2 = event.payload;
  if (event.vector == DB) core.s.dr6 = (core.s.dr6 & ~kDr6Traps) | kDr6FixedOnes | event.payload;
}

void finish(Core& core, const Event& event) {
  State& s = core.s;
  core.event_delivered = true;
  s.interrupt_shadow_sti = s.interrupt_shadow_mov_ss = false;
  if (event.kind == Event::Kind::nmi) s.nmi_blocked = true;
  if (event.kind == Event::Kind::exception && event.vector == DB) s.dr7 &= ~kDr7Gd;
  core.mode_changed();
}

bool attempt(Core& core, const Event& event) {
  if (core.is_real()) return deliver_real(core, event);
  return core.is_long() ? deliver_long(core, event) : deliver_legacy(core, event);
}

}  // namespace

Outcome combine(const Event& first, const Event& second) {
  if (first.kind != Event::Kind::exception) return Outcome::second;
  const auto is_contributory = [](u8 vector) {
    constexpr u32 kContributory = 1u << DE | 1u << TS | 1u << NP | 1u << SS_ | 1u << GP;
    return vector < 32 && (kContributory >> vector & 1);
  };
  if (first.vector == DF_) return Outcome::shutdown;
  const bool second_counts = is_contributory(second.vector) || second.vector == PF_;
  if (first.vector == PF_ && second_counts) return Outcome::double_fault;
  if (is_contributory(first.vector) && is_contributory(second.vector)) return Outcome::double_fault;
  return Outcome::second;
}

bool deliver(Core& core, const Event& event) {
  Event current = event;
  for (;;) {
    apply_payload(core, current);
    if (attempt(core, current)) {
      finish(core, current);
      return true;
    }
    if (core.fault.is_stop) {
      if (!is_soft(current)) core.s.event = current;
      return false;
    }
    Event next = core.fault.event;
    const bool takes_ext = next.vector == TS || next.vector == NP || next.vector == SS_ || next.vector == GP;
    if (takes_ext && !is_soft(current)) next.error_code |= 1;
    if (is_soft(current)) core.s.rip -= current.instruction_length;  // the fault is the INT instruction's
    switch (combine(current, next)) {
      case Outcome::second:
        current = next;
        break;
      case Outcome::double_fault:
        if (next.vector == PF_) apply_payload(core, next);
        current = {.kind = Event::Kind::exception, .vector = DF_, .has_error_code = true};
        break;
      case Outcome::shutdown:
        return core.stop(Stop::shutdown);
    }
  }
}

}  // namespace mock::cpu
