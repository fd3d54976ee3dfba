// The loop around the handlers: leaving blocks, events at instruction boundaries, answers from user space.
#include "mock/cpu/engine.hpp"

#include <algorithm>

#include "mock/cpu/block_lookup.hpp"
#include "mock/cpu/cpu.hpp"
#include "mock/cpu/debug.hpp"
#include "mock/cpu/exceptions.hpp"
#include "mock/cpu/memory.hpp"
#include "mock/cpu/run_loop.hpp"
#include "mock/cpu/smm.hpp"

namespace mock::cpu {

namespace {

void stop_handlers(Core& core, Leave why, s64 budget) {
  core.leaving = why;
  core.budget_left = budget;
  core.next_op = nullptr;
}

}  // namespace

__attribute__((noinline)) void leave_fault(Core* core, const Op* op, s64 budget) {
  const Block* const block = block_of(op);
  core->s.rip = block->rip + op->offset;
  core->fault_length = op->length;
  stop_handlers(*core, Leave::fault, budget + block->count - op->position);
}

__attribute__((noinline)) void leave_retired(Core* core, const Op* op, s64 budget) {
  if (!op->ends_block()) core->s.rip = core->next_rip_of(*op);
  stop_handlers(*core, Leave::retired, budget + block_of(op)->count - op->position - 1);
}

// Null: leave the handlers (core.leaving says why).
static Block* next_block(Core& core, s64 budget) {
  Block** const link = core.link;
  core.leaving = Leave::lookup;
  if (core.step || core.s.attention.load(std::memory_order_relaxed)) return nullptr;
  Block* const block = lookup(core);
  if (!block) {
    core.leaving = Leave::fault;
    return nullptr;
  }
  if (link && core.link) *link = block;
  return block->count <= budget ? block : nullptr;
}

static void transition_slowly(Core* core, const Op* op, s64 budget) {
  (void)op;
  Block* const block = next_block(*core, budget);
  if (!block) {
    core->budget_left = budget;
    core->next_op = nullptr;
    return;
  }
  MOCK_CPU_GO(block->first(), budget - block->count);
}

void transition(Core* core, const Op* op, s64 budget) {
  core->in_flight = nullptr;
  if (!core->step && core->s.attention.load(std::memory_order_relaxed) == 0) [[likely]] {
    Block* const block = known_block<true>(*core);
    if (block && block->count <= budget) [[likely]] {
      if (core->link) *core->link = block;
      MOCK_CPU_GO(block->first(), budget - block->count);
    }
  }
  MOCK_CPU_TAIL(transition_slowly);
}

namespace {

void execute(Core& core, Block* block, s64 budget) {
  const Op* op = block->first();
  budget -= block->count;
#if MOCK_CPU_CALL_THREADED
  core.next_op = op;
  core.budget_left = budget;
  while ((op = core.next_op)) op->handler(&core, op, core.budget_left);
#else
  op->handler(&core, op, budget);
#endif
}

// Hands the writes of the retired instruction to the devices. False: user space must take one first.
bool deliver_device_writes(Core& core) {
  DeviceLog& log = core.device;
  while (log.written < log.writes) {
    const DeviceLog::Entry& entry = log.write[log.written++];
    if (core.bus.mmio_write(Gpa{entry.gpa}, entry.size, entry.data.data()) == Reply::exit) {
      core.info.gpa = Gpa{entry.gpa};
      core.info.length = entry.size;
      core.info.bytes = entry.data;
      core.completion.kind = Completion::Kind::device_write;
      core.stop(Stop::mmio_write);
      return false;
    }
  }
  log.reads = log.replayed = log.writes = log.written = 0;
  return true;
}

__attribute__((noinline)) void note_instruction(Core& core) {
  core.info.instruction_length = 0;
  const u64 linear = linear_rip(core);
  const Core::Fault saved = core.fault;
  for (unsigned i = 0; i < core.info.instruction.size(); ++i) {
    Location location;
    if (!locate(core, (linear + i) & core.linear_mask, Access::execute, core.privilege, location) || !location.host)
      break;
    core.info.instruction[i] = load<u8>(location.host);
    core.info.instruction_length = static_cast<u8>(i + 1);
  }
  core.fault = saved;
}

// The instruction waits for user space: note how it continues.
Stop stopped(Core& core, Stop reason) {
  using Kind = Completion::Kind;
  core.info.reason = reason;
  Completion& wait = core.completion;
  switch (reason) {
    case Stop::mmio_read:
      wait.kind = Kind::device_read;
      break;
    case Stop::msr_read:
      wait.kind = Kind::msr_read;
      break;
    case Stop::msr_write:
      wait.kind = Kind::msr_write;
      break;
    case Stop::hypercall:
      wait.kind = Kind::hypercall;
      break;
    case Stop::unmodelled:
    case Stop::emulation_failure:
      note_instruction(core);
      break;
    default:
      break;
  }
  wait.rip = core.s.rip;
  wait.next_rip = core.s.rip + core.fault_length;
  return reason;
}

constexpr Stop kGoOn = Stop::budget;

// After an instruction that was executed with TF or a shadow in force.
void after_step(Core& core, bool trap, bool shadow) {
  bool changed = false;
  if (shadow && !core.shadow_renewed) {
    core.s.interrupt_shadow_sti = core.s.interrupt_shadow_mov_ss = false;
    changed = true;
  }
  if (core.flags & RF && !core.keep_rf) {
    core.flags &= ~u32{RF};
    changed = true;
  }
  const u64 hits = core.breakpoint_hits | (trap && !core.event_delivered ? kDr6SingleStep : 0);
  if (hits && !core.s.interrupt_shadow_mov_ss && core.s.event.kind == Event::Kind::none) {
    core.s.event = {};
    core.s.event.kind = Event::Kind::exception;
    core.s.event.vector = DB;
    core.s.event.has_payload = true;
    core.s.event.payload = hits;
    core.breakpoint_hits = 0;
  }
  if (changed) {
    core.step_changed();
    if ((core.flags & IF) && (core.interrupt_waiting || core.window_waiting)) core.mode_changed();
  }
}

// #DB before the instruction, if one of the guest's breakpoints is on it. A MOV SS before it holds that off too.
bool hits_code_breakpoint(Core& core) {
  if (core.s.interrupt_shadow_mov_ss) return false;
  const u64 linear = linear_rip(core);
  const u64 hits = breakpoint_hits(core.s, Watch::execute, linear, 1);
  if (!hits) return false;
  core.raise(DB);
  core.fault.event.has_payload = true;
  core.fault.event.payload = hits;
  core.s.event = core.fault.event;
  return true;
}

// QUIRK(kvm, all, x86_emulate_instruction): an instruction that ends with an exit for a device write or OUTS makes no
// single-step trap.
Stop stopped_by_emulator(Core& core, Stop reason) {
  if (core.s.event.kind == Event::Kind::exception && core.s.event.vector == DB) core.s.event = {};
  return stopped(core, reason);
}

// The block was left by a fault, or could not be entered because of one.
Stop left_by_fault(Core& core, s64& budget) {
  const bool is_stop = core.fault.is_stop;
  // What the failed attempt read from devices stays only if it will be repeated with user space's answer.
  core.device.replayed = core.device.writes = 0;
  core.after = 0;
  if (!is_stop || core.fault.stop != Stop::mmio_read) core.device.reads = 0;
  if (is_stop) return stopped(core, core.fault.stop);
  core.breakpoint_hits = 0;
  core.s.event = core.fault.event;
  budget = std::max<s64>(budget - 1, 0);
  return kGoOn;
}

// The last instruction left something to do.
Stop left_after_instruction(Core& core) {
  const u8 after = core.after;
  core.after = 0;
  if ((after & kAfterDevice) && !deliver_device_writes(core)) return stopped_by_emulator(core, Stop::mmio_write);
  if ((after & kAfterStop) && core.fault.stop == Stop::io) return stopped_by_emulator(core, Stop::io);
  if (after & kAfterStop) return stopped(core, core.fault.stop);
  core.is_slice_over = after & kAfterSlice;
  return kGoOn;
}

// One instruction at a time, or the last ones of the budget. Stop::budget: go on.
__attribute__((noinline)) Stop run_step(Core& core, s64& budget) {
  const bool trap = core.flags & TF, shadow = core.s.interrupt_shadow_sti || core.s.interrupt_shadow_mov_ss;
  core.shadow_renewed = core.keep_rf = core.mid_repetition = core.event_delivered = core.is_intercepted = false;
  if (core.breakpoints_armed && !(core.flags & RF) && hits_code_breakpoint(core)) {
    budget = std::max<s64>(budget - 1, 0);  // a handler with a breakpoint on itself must not hold the CPU for ever
    return kGoOn;
  }
  Block* block = lookup(core);
  if (block && block->count > budget) {
    core.step_once = true;
    core.step_changed();
    block = lookup(core);
  }
  const bool stepping = core.step;
  core.leaving = Leave::fault;
  core.budget_left = budget;
  if (block) {
    core.leaving = Leave::none;
    execute(core, block, budget);
  }
  budget = core.budget_left;
  if (core.step_once) {
    core.step_once = false;
    core.step_changed();
  }
  if (core.leaving == Leave::fault) return left_by_fault(core, budget);
  if (stepping) after_step(core, trap, shadow);
  return core.leaving == Leave::retired ? left_after_instruction(core) : kGoOn;
}

// Runs one block and those that follow it. Stop::budget: go on.
Stop run_block(Core& core, s64& budget) {
  core.link = nullptr;
  core.after = 0;
  if (core.step) [[unlikely]]
    return run_step(core, budget);
  Block* block = known_block(core);
  if (!block) [[unlikely]] {
    block = find_block(core);
    if (!block) return left_by_fault(core, budget);
  }
  if (block->count > budget) [[unlikely]]
    return run_step(core, budget);
  core.leaving = Leave::none;
  execute(core, block, budget);
  budget = core.budget_left;
  if (core.leaving == Leave::fault) return left_by_fault(core, budget);
  return core.leaving == Leave::retired ? left_after_instruction(core) : kGoOn;
}

// Delivers an event. kGoOn, or why not: then it is still to be delivered, unless the CPU is shut down.
Stop deliver_event(Core& core, const Event& event) {
  core.after = 0;
  core.in_flight = nullptr;
  core.delivering = event;
  const bool delivered = deliver(core, event);
  core.delivering = {};
  const bool used_devices = core.after & kAfterDevice;
  core.after = 0;
  if (!delivered) {
    core.device.reads = core.device.replayed = core.device.writes = 0;
    // User space has no way to answer: KVM_INTERNAL_ERROR_DELIVERY_EV.
    const Stop stop = core.fault.stop == Stop::mmio_read ? Stop::unmodelled : core.fault.stop;
    if (stop != Stop::shutdown) core.s.event = event;
    return stopped(core, stop);
  }
  core.s.interrupt_shadow_sti = core.s.interrupt_shadow_mov_ss = false;
  core.mode_changed();
  if (used_devices && !deliver_device_writes(core)) return stopped(core, Stop::mmio_write);
  return kGoOn;
}

// KVM intercepts these exceptions and gives them to the guest itself, with RFLAGS stored anew: TF is set only where
// stepping began (kvm_check_and_inject_events()).
bool is_given_by_owner(const Event& event) {
  return event.kind == Event::Kind::exception && (event.vector == UD || event.vector == AC_);
}

// Work at an instruction boundary. kGoOn: run the next instruction.
Stop boundary(Core& core) {
  State& s = core.s;
  if (s.event.kind != Event::Kind::none) {
    const Event event = s.event;
    s.event = {};
    if (s.owner.takes_debug && event.kind == Event::Kind::exception && event.vector == DB) {
      core.info.dr6 = event.payload;
      core.info.is_intercepted = core.is_intercepted;
      return stopped(core, Stop::debug);
    }
    if (s.owner.steps && is_given_by_owner(event) && linear_rip(core) != s.owner.step_rip)
      core.set_rflags(core.rflags() & ~u64{TF});
    if (const Stop stop = deliver_event(core, event); stop != kGoOn) return stop;
  }
  const u32 attention = s.attention.load(std::memory_order_acquire);
  if (!attention) return kGoOn;
  if (attention & kAttentionFlush) {
    s.attention.fetch_and(~u32{kAttentionFlush});
    core.flush_all_memory();
  }
  if (attention & kAttentionStop) return stopped(core, Stop::attention);
  s.attention.fetch_and(~u32{kAttentionInternal});
  const bool shadow = s.interrupt_shadow_sti || s.interrupt_shadow_mov_ss;
  if (attention & kAttentionSmi) {
    s.attention.fetch_and(~u32{kAttentionSmi});  // RSM raises it again
    if (s.smi_pending && !s.in_smm) {
      s.smi_pending = false;
      return enter_smm(core) ? boundary(core) : stopped(core, core.fault.stop);
    }
  }
  if (attention & kAttentionNmi) {
    if (!s.nmi_pending) {
      s.attention.fetch_and(~u32{kAttentionNmi});
    } else if (core.nmi_held_back && attention & kAttentionWindow && core.flags & IF && !shadow) {
      // KVM sees the end of the IRET that held the NMI back at an exit, and looks for the window first.
      core.nmi_held_back = false;
      s.attention.fetch_and(~u32{kAttentionWindow});
      return stopped(core, Stop::interrupt_window);
    } else if (!s.nmi_blocked && !shadow) {  // kvm_amd: svm_nmi_blocked()
      s.attention.fetch_and(~u32{kAttentionNmi});
      s.nmi_pending = false;
      Event event;
      event.kind = Event::Kind::nmi;
      event.vector = NMI;
      const Stop stop = deliver_event(core, event);
      s.nmi_blocked = stop == kGoOn || stop == Stop::mmio_write;
      if (stop != kGoOn) return stop;
      return boundary(core);
    } else if (s.nmi_blocked) {
      s.attention.fetch_and(~u32{kAttentionNmi});  // IRET raises it again
    }
  }
  if (attention & (kAttentionInterrupt | kAttentionWindow)) {
    if (!(core.flags & IF) || shadow) {
      s.attention.fetch_and(~u32{kAttentionInterrupt | kAttentionWindow});
      core.interrupt_waiting |= !!(attention & kAttentionInterrupt);
      core.window_waiting |= !!(attention & kAttentionWindow);
      return kGoOn;
    }
    if (attention & kAttentionInterrupt) {
      s.attention.fetch_and(~u32{kAttentionInterrupt});
      const int vector = core.bus.acknowledge_interrupt();
      if (vector >= 0) {
        Event event;
        event.kind = Event::Kind::interrupt;
        event.vector = static_cast<u8>(vector);
        if (const Stop stop = deliver_event(core, event); stop != kGoOn) return stop;
        return boundary(core);
      }
    }
    if (attention & kAttentionWindow) {
      s.attention.fetch_and(~u32{kAttentionWindow});
      return stopped(core, Stop::interrupt_window);
    }
  }
  return kGoOn;
}

}  // namespace

Stop run_loop(Core& core, u64 max_instructions) {
  s64 budget = static_cast<s64>(std::min<u64>(max_instructions, INT64_MAX));
  const s64 start = budget;
  core.is_slice_over = false;
  core.repetition_cost = 0;
  Stop stop;
  for (;;) {
    if (core.s.event.kind != Event::Kind::none || core.s.attention.load(std::memory_order_relaxed)) [[unlikely]] {
      stop = boundary(core);
      if (stop != kGoOn) break;
    }
    if (budget == 0 || core.is_slice_over) {
      stop = core.info.reason = Stop::budget;
      break;
    }
    core.in_flight = nullptr;
    stop = run_block(core, budget);
    if (stop != kGoOn) break;
  }
  core.retired += static_cast<u64>(start - budget);
  return stop;
}

Stop run_one(Core& core) {
  core.step_once = true;
  core.step_changed();
  s64 budget = 1;
  core.in_flight = nullptr;
  const Stop stop = run_block(core, budget);
  core.retired += static_cast<u64>(1 - budget);
  if (stop == Stop::budget) core.info.reason = stop;
  return stop;
}

bool finish_device_writes(Core& core) { return deliver_device_writes(core); }

void finish_step(Core& core, bool trap, bool shadow) { after_step(core, trap, shadow); }

}  // namespace mock::cpu
