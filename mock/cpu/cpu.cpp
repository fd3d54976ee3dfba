// The owner's side of the CPU: reset, answers to stops, state access.
#include "mock/cpu/cpu.hpp"

#include <utility>

#include "mock/cpu/block.hpp"
#include "mock/cpu/paging.hpp"
#include "mock/cpu/run_loop.hpp"

namespace mock::cpu {

namespace {

Segment real_mode_segment(u16 selector, u16 attributes) {
  Segment segment;
  segment.selector = selector;
  segment.base = static_cast<u64>(selector) << 4;
  segment.limit_bytes = 0xffff;
  segment.attributes = attributes;
  return segment;
}

// RIP moved by the owner while a port access waited: the access is forgotten, as KVM does.
bool rip_is_unchanged(const Core& core) { return core.s.rip == core.completion.rip; }

void forget(Core& core) {
  core.completion = {};
  core.device.reads = core.device.replayed = core.device.writes = core.device.written = 0;
  core.ins_count = core.ins_used = 0;
}

// The waiting instruction is finished without being executed again.
void retire_waiting(Core& core) {
  core.s.rip = core.completion.next_rip;
  ++core.retired;
  const bool shadow = core.s.interrupt_shadow_sti || core.s.interrupt_shadow_mov_ss;
  if (!(core.flags & (TF | RF)) && !shadow && !core.breakpoint_hits) [[likely]]
    return;
  core.shadow_renewed = core.keep_rf = core.mid_repetition = core.event_delivered = core.is_intercepted = false;
  finish_step(core, core.flags & TF, shadow);
}

}  // namespace

void Cpu::state_changed(bool translations) {
  if (translations)
    core_.flush_tlb(false);
  else
    core_.mode_changed();
}

void Cpu::reset() {
  State& s = core_.s;
  s.cr0 = CR0_ET | CR0_NW | CR0_CD;
  s.fpu = FpuState{};
  s.star = s.lstar = s.cstar = s.fmask = s.kernel_gs_base = 0;
  s.sysenter_cs = s.sysenter_esp = s.sysenter_eip = 0;
  s.tsc_aux = s.tsc_offset = 0;
  s.pat = 0x0007040600070406;
  s.smbase = 0x30000;
  init();
}

// SDM vol. 3 table 10-1; DX holds family, model and stepping as KVM sets it (0x600 without CPUID).
void Cpu::init() {
  State& s = core_.s;
  s.gpr = {};
  s.gpr[RDX] = 0x600;
  s.rip = 0xfff0;
  s.seg[CS] = real_mode_segment(0xf000, 0x9b);
  s.seg[CS].base = 0xffff0000;
  for (SegReg reg : {ES, SS, DS, FS, GS}) s.seg[reg] = real_mode_segment(0, 0x93);
  s.ldtr = real_mode_segment(0, 0x82);
  s.tr = real_mode_segment(0, 0x8b);
  s.gdtr = s.idtr = DescriptorTable{};
  s.cr0 = (s.cr0 & (CR0_NW | CR0_CD)) | CR0_ET;
  s.cr2 = s.cr3 = s.cr4 = 0;
  s.efer = 0;
  s.pdptr = {};
  s.dr = {};
  s.dr6 = 0xffff0ff0;
  s.dr7 = 0x400;
  s.cpl = 0;
  s.interrupt_shadow_sti = s.interrupt_shadow_mov_ss = false;
  s.nmi_blocked = s.nmi_pending = s.smi_pending = s.in_smm = s.smm_inside_nmi = false;
  s.event = {};
  core_.interrupt_waiting = core_.window_waiting = false;
  forget(core_);
  core_.flags = kFlagsFixedOne;
  core_.set_arith_flags(0);
  core_.flush_tlb(false);
}

__attribute__((noinline)) static void read_features_again(Core& core) {
  const auto undefined_before = core.features.undefined_sets;
  core.features = read_features(core.bus);
  if (core.features.undefined_sets != undefined_before) core.flush_all_memory();
}

Stop Cpu::run(u64 max_instructions) {
  if (!std::exchange(features_are_read_, true)) [[unlikely]]
    read_features_again(core_);
  core_.forget_verification();
  if (core_.completion.kind != Completion::Kind::none) complete(nullptr);
  return run_loop(core_, max_instructions);
}

Stop Cpu::host_page_vanished() {
  if (core_.in_flight) core_.s.rip = core_.rip_of(*core_.in_flight);
  if (core_.delivering.kind != Event::Kind::none) core_.s.event = core_.delivering;
  core_.in_flight = core_.next_op = nullptr;
  core_.delivering = {};
  core_.after = 0;
  core_.step_once = core_.is_emulated = false;
  core_.device.replayed = core_.device.writes = 0;
  core_.flush_all_memory();
  core_.mode_changed();
  return core_.info.reason = Stop::host_fault;
}

bool Cpu::is_completion_pending() const { return core_.completion.kind != Completion::Kind::none; }
bool Cpu::is_retired() const {
  return core_.info.reason == Stop::mmio_write || core_.completion.kind == Completion::Kind::none;
}
bool Cpu::waits_for_string() const {
  return core_.info.reason == Stop::io &&
         (core_.completion.kind == Completion::Kind::none || core_.completion.kind == Completion::Kind::ins);
}

u64 Cpu::instructions_retired() const { return core_.retired; }

Stop Cpu::complete(const void* data) {
  using Kind = Completion::Kind;
  core_.info.reason = Stop::budget;
  if (core_.completion.kind == Kind::out) {
    if (rip_is_unchanged(core_)) retire_waiting(core_);
    core_.completion.kind = Kind::none;
    return Stop::budget;
  }
  if (core_.completion.kind == Kind::device_write) {
    core_.completion.kind = Kind::none;
    return finish_device_writes(core_) ? Stop::budget : core_.info.reason = Stop::mmio_write;
  }
  return complete_slowly(data);
}

// What takes an answer: it is executed again, or has registers to fill.
__attribute__((noinline)) Stop Cpu::complete_slowly(const void* data) {
  using Kind = Completion::Kind;
  const Completion waiting = core_.completion;
  switch (waiting.kind) {
    case Kind::in:
      if (rip_is_unchanged(core_) && data) {
        u64 value = 0;
        std::memcpy(&value, data, waiting.size);
        core_.set_register(RAX * 8, waiting.size, value);
        retire_waiting(core_);
      }
      break;
    case Kind::ins:
      core_.completion = {};
      if (!rip_is_unchanged_since(waiting.rip) || !data) break;
      std::memcpy(core_.ins_data.get(), data, core_.ins_count * waiting.size);
      core_.ins_used = 0;
      return finish_repeated(false);
    case Kind::device_read: {
      DeviceLog& log = core_.device;
      core_.completion = {};
      if (!data) break;
      DeviceLog::Entry& entry = log.read[log.reads++];
      entry = {core_.info.gpa.value, core_.info.length, {}};
      std::memcpy(entry.data.data(), data, entry.size);
      log.replayed = 0;
      return finish_repeated(true);
    }
    default:
      break;
  }
  forget(core_);
  return Stop::budget;
}

bool Cpu::rip_is_unchanged_since(u64 rip) const { return core_.s.rip == rip; }

// Executes the waiting instruction again, now with user space's data at hand. KVM's emulator goes on with a repeated
// one without looking at events until it ends or the count reaches a multiple of 1024, and stores flags only then;
// those of the exits before, and of a fault, are the old ones (x86_emulate_insn(), x86_emulate_instruction()).
Stop Cpu::finish_repeated(bool reads_device) {
  constexpr u64 kReenter = 0x3ff;
  const u64 rflags = core_.rflags();
  for (;;) {
    core_.forget_verification();
    core_.is_emulated = reads_device;
    const Stop stop = run_one(core_);
    core_.is_emulated = false;
    core_.ins_count = core_.ins_used = 0;
    if (stop == Stop::mmio_read || core_.leaving == Leave::fault) core_.set_rflags(rflags);
    if (stop != Stop::budget) return stop;
    core_.device.reads = core_.device.replayed = 0;
    if (!core_.mid_repetition || !(core_.s.gpr[RCX] & kReenter) || !reads_device) return stop;
    core_.s.event = {};  // a trap comes after the last
  }
}

Stop Cpu::complete_msr(bool error, u64 data) {
  const Completion waiting = core_.completion;
  core_.info.reason = Stop::budget;
  if (error) {
    core_.raise(GP, 0);
    core_.s.event = core_.fault.event;
  } else {
    if (waiting.kind == Completion::Kind::msr_read) {
      core_.s.gpr[RAX] = static_cast<u32>(data);
      core_.s.gpr[RDX] = data >> 32;
    }
    retire_waiting(core_);
  }
  forget(core_);
  return Stop::budget;
}

Stop Cpu::complete_hypercall(u64 result) {
  core_.info.reason = Stop::budget;
  core_.s.gpr[RAX] = core_.is_64bit() ? result : static_cast<u32>(result);
  retire_waiting(core_);
  forget(core_);
  return Stop::budget;
}

bool Cpu::translate(u64 linear, Gpa& gpa) { return translate_debug(core_, linear, gpa.value); }

}  // namespace mock::cpu
