// The loop around the handlers: finding blocks, leaving them, events at instruction boundaries, answers from user
// space.
#include "mock/cpu/engine.hpp"

#include <algorithm>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/debug.hpp"
#include "mock/cpu/exceptions.hpp"
#include "mock/cpu/memory.hpp"
#include "mock/cpu/run_loop.hpp"
#include "mock/cpu/smm.hpp"

namespace mock::cpu {

namespace {

constexpr std::size_t kMaxArenaBytes = 64 << 20;

void stop_handlers(Core& core, Leave why, s64 budget) {
  core.leaving = why;
  core.budget_left = budget;
  core.next_op = nullptr;
}

bool equal(const u8* a, const u8* b, unsigned n) {
  if (n < 8) {
    for (unsigned i = 0; i < n; ++i)
      if (load<u8>(a + i) != load<u8>(b + i)) return false;
    return true;
  }
  for (unsigned i = 0; i + 8 < n; i += 8)
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
  return load<u64>(a + n - 8) == load<u64>(b + n - 8);
}

u64 linear_rip(const Core& core) {
  return core.is_64bit() ? core.s.rip : (core.s.seg[CS].base + core.s.rip) & core.linear_mask;
}

inline bool bytes_match(const Block& block) {
  const u8* const bytes = const_cast<Block&>(block).bytes();
  const unsigned first = block.first_length;
  // Short ones, not at the end of their page, as one word: the arena leaves that much room behind a block's bytes.
  const bool is_word = first <= 8 && reinterpret_cast<u64>(block.host) % kPageSize <= kPageSize - 8;
  const bool matches =
      is_word ? (load<u64>(block.host) ^ load<u64>(bytes)) << (64 - 8 * first) == 0 : equal(bytes, block.host, first);
  return matches && (!block.host2 || equal(bytes + first, block.host2, block.length - first));
}

// Where the code at a linear address lies, if the translation cache knows.
inline const u8* cached_code(const Core& core, u64 linear) {
  const auto* entry = reinterpret_cast<const TlbEntry*>(reinterpret_cast<const u8*>(core.tlb_entries) +
                                                        ((linear >> kTlbShift) & core.tlb_byte_mask));
  if ((linear & ~(kPageSize - 1)) != entry->execute_tag) [[unlikely]]
    return nullptr;
  return reinterpret_cast<const u8*>(reinterpret_cast<u64>(entry->host_minus_linear) + linear);
}

// The block that the jump cache knows, if translation and memory still agree with it: the usual case after an exit.
inline Block* known_block(const Core& core) {
  const JumpEntry& known = jump_entry(&core, core.s.rip);
  Block* const block = known.block;
  if (known.rip != core.s.rip || block->key != block_key(core) || block->dead || block->host2) return nullptr;
  if (block->epoch == core.epoch) return block;
  if (cached_code(core, linear_rip(core)) != block->host || !bytes_match(*block)) return nullptr;
  block->epoch = core.epoch;
  return block;
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

__attribute__((noinline)) static Block* find_block(Core& core) {
  const u64 rip = core.s.rip;
  const bool is_64 = (core.mode_key & kModeBits) == 2;
  if (is_64) {
    const unsigned shift = core.s.cr4 & CR4_LA57 ? 7 : 16;
    if (static_cast<u64>(static_cast<s64>(rip << shift) >> shift) != rip) return core.raise(GP, 0), nullptr;
  } else if (rip > core.code_last) {
    return core.raise(GP, 0), nullptr;
  }
  const u64 linear = linear_rip(core);
  Location here;
  if (!locate(core, linear, Access::execute, core.privilege, here)) return nullptr;
  if (!here.host) {
    core.info.instruction_length = 0;
    core.info.gpa = here.gpa;
    return core.stop(Stop::unmodelled), nullptr;
  }
  // The jump cache usually knows the block, though it may have to be verified again.
  JumpEntry known = jump_entry(&core, rip);
  Block* block =
      known.rip == rip && known.block->host == here.host && known.block->key == block_key(core) && !known.block->dead
          ? known.block
          : core.blocks->find(here.host, rip, block_key(core));
  if (block && block->epoch == core.epoch) {
    core.note_jump(rip, block);
    return block;
  }
  if (block) {
    bool same = true;
    if (block->host2) {
      Location there;
      if (!locate(core, (linear + block->first_length) & core.linear_mask, Access::execute, core.privilege, there))
        return nullptr;
      same = there.host == block->host2;
    }
    if (!same || !bytes_match(*block)) {
      core.blocks->kill(block);
      block = nullptr;
    }
  }
  if (!block) {
    if (core.blocks->arena.used() > kMaxArenaBytes) {
      core.blocks->clear();
      core.forget_jumps();
      core.link = nullptr;
      known = {};
    }
    block = decode_block(core, here.host, linear);
    if (!block) return nullptr;
    const auto page = [](const u8* host) {
      return reinterpret_cast<const u8*>(reinterpret_cast<u64>(host) & ~(kPageSize - 1));
    };
    if (!core.blocks->has_code(page(block->host))) clear_tlb_writes(core, page(block->host));
    if (block->host2 && !core.blocks->has_code(page(block->host2))) clear_tlb_writes(core, page(block->host2));
    core.blocks->insert(block);
  }
  block->epoch = core.epoch;
  if (known.block != block || known.rip != rip) core.note_jump(rip, block);
  return block;
}

Block* lookup(Core& core) {
  if (Block* const known = known_block(core)) [[likely]]
    return known;
  return find_block(core);
}

// Null: leave the handlers (core.leaving says why).
static Block* next_block(Core& core, s64 budget) {
  Block** const link = core.link;
  core.leaving = Leave::lookup;
  if (core.step || core.s.attention.load(std::memory_order_relaxed)) return nullptr;
  Block* const block = find_block(core);
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
    Block* const block = known_block(*core);
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

void note_unmodelled(Core& core) {
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
      note_unmodelled(core);
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

// Runs one block, or one instruction when stepping. Stop::budget: go on.
Stop run_block(Core& core, s64& budget) {
  core.link = nullptr;
  core.after = 0;
  const bool trap = core.flags & TF, shadow = core.s.interrupt_shadow_sti || core.s.interrupt_shadow_mov_ss;
  core.shadow_renewed = core.keep_rf = core.event_delivered = false;
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
  if (core.leaving == Leave::fault) {
    const bool is_stop = core.fault.is_stop;
    // What the failed attempt read from devices stays only if it will be repeated with user space's answer.
    core.device.replayed = core.device.writes = 0;
    core.after = 0;
    if (is_stop) return stopped(core, core.fault.stop);
    core.device.reads = 0;
    core.breakpoint_hits = 0;
    core.s.event = core.fault.event;
    budget = std::max<s64>(budget - 1, 0);
    return kGoOn;
  }
  if (stepping) after_step(core, trap, shadow);
  if (core.leaving == Leave::retired) {
    const u8 after = core.after;
    core.after = 0;
    if ((after & kAfterDevice) && !deliver_device_writes(core)) return stopped(core, Stop::mmio_write);
    if (after & kAfterStop) return stopped(core, core.fault.stop);
  }
  return kGoOn;
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

// Work at an instruction boundary. kGoOn: run the next instruction.
Stop boundary(Core& core) {
  State& s = core.s;
  if (s.event.kind != Event::Kind::none) {
    const Event event = s.event;
    s.event = {};
    if (s.owner_takes_debug && event.kind == Event::Kind::exception && event.vector == DB) {
      core.info.dr6 = event.payload;
      return stopped(core, Stop::debug);
    }
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
    } else if (!s.nmi_blocked && !s.interrupt_shadow_mov_ss) {
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
  Stop stop;
  for (;;) {
    if (core.s.event.kind != Event::Kind::none || core.s.attention.load(std::memory_order_relaxed)) [[unlikely]] {
      stop = boundary(core);
      if (stop != kGoOn) break;
    }
    if (budget == 0) {
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
