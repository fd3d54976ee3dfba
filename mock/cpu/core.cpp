// Flags, modes, fault records and generic operand access of the core.
#include "mock/cpu/core.hpp"

#include "mock/cpu/block.hpp"
#include "mock/cpu/debug.hpp"
#include "mock/cpu/engine.hpp"
#include "mock/cpu/lazy_flags.hpp"
#include "mock/cpu/memory.hpp"

namespace mock::cpu {

namespace {

JumpEntry kNoJump[1] = {{~u64{0}, &kNoBlock}};

// What the fast path may do through a segment register (SDM vol. 3 5.3, 5.5).
SegmentView view_of(const Core& core, unsigned index) {
  const Segment& seg = core.s.seg[index];
  SegmentView view{seg.base, -1, -1};
  if (core.is_64bit()) {
    if (index < FS) view.base = 0;
    view.read_last = view.write_last = INT64_MAX;
    return view;
  }
  const s64 limit = seg.limit_bytes;
  if (core.is_real()) {
    view.read_last = limit;
    // Real mode ignores the type, except that a read-only one left over from protected mode is kept by some CPUs; KVM
    // does not check.
    view.write_last = limit;
    return view;
  }
  if (core.is_v86()) {
    view.read_last = view.write_last = limit;
    return view;
  }
  if (seg.unusable || !seg.present() || !seg.is_code_or_data()) return view;
  const bool is_code = seg.type() & 8;
  const bool readable_or_writable = seg.type() & 2;
  if (!is_code && (seg.type() & 4)) return view;  // expand-down: slow path
  if (!is_code || readable_or_writable) view.read_last = limit;
  if (!is_code && readable_or_writable) view.write_last = limit;
  return view;
}

}  // namespace

Core::Core(Bus& bus_in) : bus(bus_in), jumps(kNoJump), blocks(std::make_unique<BlockCache>()) {
  init_tlbs(*this);
  mode_changed();
}

Core::~Core() {
  free_tlbs(*this);
  if (jumps != kNoJump) delete[] jumps;
}

u64 Core::rflags() const { return flags | arith_bits(lazy); }

void Core::set_arith_flags(u32 arith) { lazy = lazy_from_bits(arith); }

void Core::set_rflags(u64 value) {
  const u32 before = flags;
  flags = (static_cast<u32>(value) & ~kArithFlags) | kFlagsFixedOne;
  set_arith_flags(static_cast<u32>(value));
  if ((before ^ flags) & (VM | AC | IF | TF | RF)) mode_changed();
}

void Core::mode_changed() {
  const bool is_64 = is_64bit();
  for (unsigned i = 0; i < 6; ++i) view[i] = view_of(*this, i);
  linear_mask = is_64 ? ~u64{0} : 0xffffffff;
  code_last = is_64 ? ~u64{0} : s.seg[CS].limit_bytes;
  privilege = s.cpl == 3                           ? Privilege::user
              : (flags & AC) && (s.cr4 & CR4_SMAP) ? Privilege::supervisor_ac
                                                   : Privilege::supervisor;
  breakpoints_armed = has_breakpoints(s);
  watches_data = breakpoints_armed && cpu::watches_data(s);
  use_current_tlb(*this);
  if ((flags & IF) && (interrupt_waiting || window_waiting)) {
    s.attention.fetch_or((interrupt_waiting ? kAttentionInterrupt : 0u) | (window_waiting ? kAttentionWindow : 0u));
    interrupt_waiting = window_waiting = false;
  }
  step_changed();
}

void Core::step_changed() {
  step = step_once || (flags & (TF | RF)) || s.interrupt_shadow_sti || s.interrupt_shadow_mov_ss || breakpoints_armed;
  const bool is_64 = is_64bit();
  const u32 bits = is_64 ? 2 : s.seg[CS].db() ? 1 : 0;
  mode_key = bits | (step ? kModeStep : 0) | static_cast<u32>(privilege) * kModePrivilege;
  block_key = block_key_of(mode_key, code_last);
  const u64 code_base = is_64 ? 0 : s.seg[CS].base;
  for (u32 i = 0; i < mode_slots.size(); ++i) {
    const ModeSlot& slot = mode_slots[i];
    if (slot.epoch < first_valid_epoch || slot.key != mode_key) continue;
    if (slot.code_base != code_base || slot.code_last != code_last) continue;
    mode_slot = i;
    epoch = slot.epoch;
    return;
  }
  new_epoch();
}

// The current mode starts with nothing verified.
void Core::new_epoch() {
  if (++last_epoch == 0) {  // wrapped: blocks of old epochs must not look verified
    blocks->clear();
    forget_jumps();
    mode_slots = {};
    last_epoch = first_valid_epoch = 1;
  }
  mode_slot = next_mode_slot++ % mode_slots.size();
  mode_slots[mode_slot] = {mode_key, last_epoch, is_64bit() ? 0 : s.seg[CS].base, code_last};
  epoch = last_epoch;
}

void Core::forget_jumps() {
  if (jumps != kNoJump) delete[] jumps;
  jumps = kNoJump;
  jump_byte_mask = 0;
  jump_fills = 0;
}

void Core::note_jump(u64 rip, Block* block) {
  if (step) return;  // every step comes back to the run loop: no handler may find the next one
  const u64 entries = jumps == kNoJump ? 0 : jump_byte_mask / sizeof(JumpEntry) + 1;
  if (jump_fills++ >= entries * 2 && entries < 4096) {
    const u64 count = entries ? entries * 8 : 8;
    auto* const table = new JumpEntry[count];
    for (u64 i = 0; i < count; ++i) table[i] = kNoJump[0];
    forget_jumps();
    jumps = table;
    jump_byte_mask = (count - 1) * sizeof(JumpEntry);
  }
  jump_entry(this, rip) = {rip, block};
}

void Core::flush_tlb(bool) {
  clear_tlbs(*this);
  mode_changed();
  forget_verification();
}

void Core::flush_page(u64 address) {
  clear_tlb_page(*this, address);
  forget_verification();
}

void Core::flush_all_memory() {
  clear_tlbs(*this);
  blocks->clear();
  forget_jumps();
  forget_verification();
}

void Core::flush_writes() { clear_tlb_writes(*this, nullptr); }

bool Core::raise(Vector vector) {
  fault = {};
  fault.event.kind = Event::Kind::exception;
  fault.event.vector = vector;
  return false;
}

bool Core::raise(Vector vector, u32 error_code) {
  raise(vector);
  fault.event.has_error_code = true;
  fault.event.error_code = error_code;
  return false;
}

bool Core::page_fault(u64 linear_address, u32 error_code) {
  raise(PF_, error_code);
  fault.event.has_payload = true;
  fault.event.payload = linear_address;
  return false;
}

bool Core::stop(Stop reason) {
  fault.is_stop = true;
  fault.stop = reason;
  return false;
}

bool Core::stop_after(Stop reason) {
  stop(reason);
  after |= kAfterStop;
  return true;
}

bool Core::stop_host_fault(u64 gpa) {
  info.gpa = Gpa{gpa};
  return stop(Stop::host_fault);
}

bool Core::stop_msr_read(u32 index) {
  info.msr = index;
  return stop(Stop::msr_read);
}

bool Core::stop_msr_write(u32 index, u64 value) {
  info.msr = index;
  info.msr_value = value;
  return stop(Stop::msr_write);
}

bool Core::stop_hypercall() { return stop(Stop::hypercall); }

u64 Core::effective_address(const Op& op) const { return offset_of(this, &op); }

u64 Core::register_value(u8 slot, unsigned size) const { return reg64(this, slot) & kAddressMask[__builtin_ctz(size)]; }

void Core::set_register(u8 slot, unsigned size, u64 value) {
  if (size == 4) {
    value = static_cast<u32>(value);
    size = 8;
  }
  std::memcpy(reinterpret_cast<u8*>(s.gpr.data()) + slot, &value, size);
}

bool Core::read_operand(const Op& op, unsigned operand, unsigned size, u64& value) {
  if (!op.is_memory(operand)) {
    value = register_value(op.slot[operand], size);
    return true;
  }
  u64 address, data = 0;
  if (!linear(op.segment(), effective_address(op), size, Access::read, address) || !read_linear(address, &data, size))
    return false;
  value = data;
  return true;
}

bool Core::write_operand(const Op& op, unsigned operand, unsigned size, u64 value) {
  if (!op.is_memory(operand)) {
    set_register(op.slot[operand], size, value);
    return true;
  }
  u64 address;
  return linear(op.segment(), effective_address(op), size, Access::write, address) &&
         write_linear(address, &value, size);
}

}  // namespace mock::cpu
