// KVM_RUN. api.rst 4.10, section 5. The order of the steps is kvm_arch_vcpu_ioctl_run()'s: sync registers are checked
// and loaded, CR8 is loaded, the pending exit is completed, immediate_exit is looked at, then the guest runs.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "kvmapi/exit.hpp"
#include "mock/vm/asymmetric_fence.hpp"
#include "mock/vm/irqchip.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u32 exit_number(Exit exit) { return static_cast<u32>(exit); }

}  // namespace

// One function for the machine: each step is called from one place.
#define MOCK_VM_STEP __attribute__((always_inline)) inline

Result<int> Vcpu::run(u64 argument) {
  if (vm_.is_closed()) return err(EIO);
  const BiasedMutex::Lock lock(mutex_);
  if (!lock) return err(EDEADLK);  // from a signal handler inside another call on this vcpu
  return run_ioctl(argument);
}

Result<int> Vcpu::run_ioctl(u64 argument) {
  if (argument && !vm_.has_defect(Defect::run_ignores_argument)) return err(EINVAL);
  SignalScope signals(vm_.context().signals, signal_mask_, state().attention);
  Result<int> result = run_guest(signals);
  if (run_->kvm_valid_regs && !vm_.has_defect(Defect::valid_regs_not_stored)) store_sync_regs();
  save_run_state();
  return result;
}

MOCK_VM_STEP Result<int> Vcpu::run_guest(SignalScope& signals) {
  kvm_run& run = *run_;
  run.flags = 0;
  const bool immediate_exit = run.immediate_exit;
  if (mp_state_ == kMpStateUninitialized) [[unlikely]]
    return run_uninitialized(signals, immediate_exit);

  const u64 known = kSyncX86ValidFields;
  if (((run.kvm_valid_regs | run.kvm_dirty_regs) & ~known) && !vm_.has_defect(Defect::bad_sync_bits_accepted))
    return err(EINVAL);
  if (run.kvm_dirty_regs)
    if (Result<int> loaded = load_sync_regs(); !loaded) return loaded;
  if (!has_lapic_) {
    if (run.cr8 > 15) return err(EINVAL);
    cr8_ = static_cast<u8>(run.cr8);
  }
  if (immediate_exit && vm_.has_defect(Defect::immediate_exit_skips_completion)) return err(EINTR);
  if (state_changed_) {
    cpu_.state_changed(translations_changed_);
    state_changed_ = translations_changed_ = false;
  }
  if (completion_ != Completion::none) {
    const bool is_step = is_stepping();
    const bool is_emulated = is_step && (completion_ == Completion::mmio || cpu_.waits_for_string());
    // An instruction that KVM skips ends a step only with TF, one of its emulator whenever steps are asked for.
    const bool ends_step = is_step && !cpu_.is_retired() && (is_emulated || cpu_.rflags() & TF);
    Result<Next> completed = complete_pending();
    if (!completed) return err(completed.error());
    if (is_step) forget_step(is_emulated);
    if (*completed == Next::exit) return 0;
    if (ends_step && !events_.exception.pending && !events_.exception.injected) {
      exit_emulated_step();
      return 0;
    }
  }
  if (immediate_exit && !vm_.has_defect(Defect::immediate_exit_runs_guest)) {
    if (vm_.has_defect(Defect::immediate_exit_writes_exit_reason)) run.exit_reason = exit_number(Exit::Intr);
    return err(EINTR);
  }
  has_run_ = has_run_since_xsave_ = true;
  return run_loop(signals);
}

MOCK_VM_STEP Result<int> Vcpu::run_loop(SignalScope& signals) {
  kvm_run& run = *run_;
  if (vm_.profile().since(6, 12)) run.exit_reason = exit_number(Exit::Unknown);
  in_guest_.store(true, std::memory_order_relaxed);
  light_fence();
  struct Leave {
    std::atomic<bool>& flag;
    ~Leave() { flag.store(false, std::memory_order_release); }
  } leave{in_guest_};
  clear_attention(kAttentionStop | kAttentionFlush);
  if (flush_wish_.load()) handle_flush();

  bool look_for_signals = signals.must_check_first(), is_window_open = false;
  for (;;) {
    if (look_for_signals && signals.is_interrupted()) {
      if (!vm_.has_defect(Defect::signal_exit_reason_stale)) run.exit_reason = exit_number(Exit::Intr);
      return err(EINTR);
    }
    look_for_signals = true;
    expire_timers();
    if (lapic_ && lapic_->signals()) accept_apic_events();
    if (events_.triple_fault) {
      events_.triple_fault = false;
      run.exit_reason = exit_number(Exit::Shutdown);
      return 0;
    }
    if (dirty_ring_.exists() && dirty_ring_.is_soft_full()) {
      run.exit_reason = exit_number(Exit::DirtyRingFull);
      return 0;
    }
    if (mp_state_ != kMpStateRunnable) {
      if (Result<int> slept = halt(signals); !slept) return slept;
      continue;
    }
    const bool nmi_is_first = events_.nmi_pending && !state().nmi_blocked && !is_window_open;
    if (run.request_interrupt_window && !nmi_is_first && is_ready_for_interrupt() &&
        vm_.irqchip_mode() != IrqchipMode::kernel) {
      run.exit_reason = exit_number(Exit::IrqWindowOpen);
      return 0;
    }
    if (is_refused_by_hardware()) return exit_fail_entry();
    const bool had_events = load_events();
    const Stop stop = guarded([this] { return run_slice(); });
    if (had_events || state().event.kind != Event::Kind::none) [[unlikely]]
      take_events_back();
    is_window_open = stop == Stop::interrupt_window;
    if (stop == Stop::attention) {
      clear_attention(kAttentionStop | kAttentionFlush);
      if (flush_wish_.load()) handle_flush();
      continue;
    }
    if (stop == Stop::budget) continue;
    // The usual exits without a detour through handle_stop().
    if (stop == Stop::io) return exit_io(cpu_.stop_info()), 0;
    if (stop == Stop::mmio_write && !lapic_) return exit_mmio(cpu_.stop_info(), true), 0;
    Result<Next> next = handle_stop(stop);
    if (!next) return err(next.error());
    if (*next == Next::exit) return 0;
    look_for_signals = false;
  }
}

// sync_regs(): each bit is cleared when its part has been taken; a refused part ends the run.
Result<int> Vcpu::load_sync_regs() {
  kvm_run& run = *run_;
  const kvm_sync_regs sync = run.s.as<kvm_sync_regs>();
  const bool keep = vm_.has_defect(Defect::dirty_regs_not_cleared);
  const auto taken = [&](u64 bit) {
    if (!keep) run.kvm_dirty_regs &= ~bit;
  };
  if (run.kvm_dirty_regs & kSyncX86Regs) {
    (void)set_regs(sync.regs);
    taken(kSyncX86Regs);
  }
  if (run.kvm_dirty_regs & kSyncX86Sregs) {
    if (!set_sregs(sync.sregs)) return err(EINVAL);
    taken(kSyncX86Sregs);
  }
  if (run.kvm_dirty_regs & kSyncX86Events) {
    if (!set_vcpu_events(sync.events)) return err(EINVAL);
    taken(kSyncX86Events);
  }
  return 0;
}

void Vcpu::store_sync_regs() {
  const u64 valid = run_->kvm_valid_regs;
  auto& sync = *reinterpret_cast<kvm_sync_regs*>(run_->s.words.data());
  if (valid & kSyncX86Regs) read_regs(sync.regs);
  if (valid & kSyncX86Sregs) read_sregs(sync.sregs);
  if (valid & kSyncX86Events) sync.events = *get_vcpu_events();
}

MOCK_VM_STEP Result<Vcpu::Next> Vcpu::complete_pending() {
  const Completion pending = std::exchange(completion_, Completion::none);
  const StopInfo& info = cpu_.stop_info();
  const bool is_io = pending == Completion::io;
  // Writes touch no guest memory when they complete.
  const bool is_write = is_io ? !info.is_in : pending == Completion::mmio && info.reason == Stop::mmio_write;
  return finish_completion(is_write ? cpu_.complete(nullptr) : complete_read(pending));
}

Result<Vcpu::Next> Vcpu::finish_completion(Stop stop) {
  if (state().event.kind != Event::Kind::none) save_new_event();
  return stop == Stop::budget || stop == Stop::attention ? Result<Next>(Next::run) : handle_stop(stop);
}

// Answers what waits for data.
__attribute__((noinline)) Stop Vcpu::complete_read(Completion pending) {
  kvm_run& run = *run_;
  switch (pending) {
    case Completion::none:
      return Stop::budget;
    case Completion::io: {
      static constexpr std::array<u8, 4096> kNothing{};
      const u8* const data = vm_.has_defect(Defect::in_data_ignored) ? kNothing.data() : pages_.address() + 4096;
      return guarded([&] { return cpu_.complete(data); });
    }
    case Completion::mmio: {
      std::array<u8, 8> data = run.exit.as<kvm_exit_mmio>().data;
      if (vm_.has_defect(Defect::mmio_read_data_ignored)) data = {};
      return guarded([&] { return cpu_.complete(data.data()); });
    }
    case Completion::msr_read:
    case Completion::msr_write: {
      const auto answer = run.exit.as<kvm_exit_msr>();
      return cpu_.complete_msr(answer.error != 0, answer.data);
    }
    case Completion::hypercall:
      return cpu_.complete_hypercall(run.exit.as<kvm_exit_hypercall>().ret);
  }
  return Stop::budget;
}

Stop Vcpu::run_slice() {
  if (guest_debug_) return run_debugged();
  if (!reports_tpr_access_) return cpu_.run(kSliceInstructions);
  // A report names the instruction, which a device write has left behind: one at a time.
  access_rip_ = state().rip;
  return cpu_.run(1);
}

// Injected events first, then pending ones: kvm_check_and_inject_events().
void Vcpu::inject_events() {
  State& s = state();
  const auto& exception = events_.exception;
  s.nmi_pending = events_.nmi_pending != 0;
  if (s.nmi_pending) s.attention.fetch_or(kAttentionNmi);
  s.smi_pending = events_.smi_pending;
  if (s.smi_pending) s.attention.fetch_or(kAttentionSmi);
  if (exception.pending || exception.injected) {
    s.event = {.kind = Event::Kind::exception,
               .vector = exception.vector,
               .has_error_code = exception.has_error_code,
               .error_code = exception.error_code,
               .has_payload = exception.pending && exception.has_payload,
               .payload = exception.payload,
               .instruction_length = 0};
    // In real mode no vector pushes an error code.
    if (!(s.cr0 & CR0_PE)) s.event.has_error_code = false;
    s.attention.fetch_or(kAttentionInternal);
  } else if (events_.nmi_injected) {
    s.event = {.kind = Event::Kind::nmi, .vector = NMI};
    s.attention.fetch_or(kAttentionInternal);
  } else if (events_.interrupt.injected) {
    s.event = {.kind = events_.interrupt.soft ? Event::Kind::soft_interrupt : Event::Kind::interrupt,
               .vector = events_.interrupt.vector};
    s.attention.fetch_or(kAttentionInternal);
  }
}

// What the CPU did not get to deliver stays ours to report.
void Vcpu::take_events_back() {
  State& s = state();
  events_.exception.pending = events_.exception.injected = events_.exception.has_payload = false;
  events_.exception.payload = 0;
  events_.interrupt.injected = false;
  events_.nmi_injected = false;
  if (events_.nmi_pending && !s.nmi_pending) --events_.nmi_pending;
  if (events_.smi_pending && !s.smi_pending) {
    events_.smi_pending = false;
    ++smi_count_;
  }
  save_new_event();
}

// What a completed instruction brought, beside what user space has queued meanwhile.
void Vcpu::save_new_event() {
  State& s = state();
  switch (s.event.kind) {
    case Event::Kind::none:
      break;
    case Event::Kind::exception:
      events_.exception = {.pending = s.event.has_payload,
                           .injected = !s.event.has_payload,
                           .vector = s.event.vector,
                           .has_error_code = s.event.has_error_code,
                           .error_code = s.event.error_code,
                           .has_payload = s.event.has_payload,
                           .payload = s.event.payload};
      break;
    case Event::Kind::nmi:
      events_.nmi_injected = true;
      break;
    case Event::Kind::interrupt:
    case Event::Kind::soft_interrupt:
      events_.interrupt = {
          .injected = true, .soft = s.event.kind == Event::Kind::soft_interrupt, .vector = s.event.vector};
      break;
  }
  s.event = {};
}

// kvm_vcpu_ready_for_interrupt_injection(): the CPU would take an interrupt and none is on its way.
bool Vcpu::is_ready_for_interrupt() const {
  const State& s = state();
  if (!cpu_.has_interrupts_enabled() || s.interrupt_shadow_sti || s.interrupt_shadow_mov_ss) return false;
  if (events_.interrupt.injected || events_.exception.pending || events_.exception.injected || events_.nmi_injected)
    return false;
  return pending_external_vector_ < 0;
}

// post_kvm_run_save().
MOCK_VM_STEP void Vcpu::save_run_state() {
  kvm_run& run = *run_;
  run.if_flag = cpu_.has_interrupts_enabled();
  run.cr8 = current_cr8();
  run.apic_base = apic_base_;
  run.ready_for_interrupt_injection = vm_.irqchip_mode() == IrqchipMode::kernel || is_ready_for_interrupt();
  if (state().in_smm) run.flags |= kRunX86Smm;
}

// kvm_vcpu_has_events().
bool Vcpu::has_wakeup_event() {
  if (has_init_or_sipi()) return true;
  if (mp_state_ != kMpStateHalted) return false;
  if (lapic_ && lapic_->signals()) accept_apic_events();
  if (events_.exception.pending || events_.triple_fault || (events_.smi_pending && !state().in_smm)) return true;
  if (events_.nmi_injected || (events_.nmi_pending && !state().nmi_blocked)) return true;
  return cpu_.has_interrupts_enabled() && has_interrupt();
}

s64 Vcpu::next_deadline_ns() const {
  return lapic_ ? std::min(lapic_->next_deadline_ns(), vm_.irqchip()->next_deadline_ns()) : devices::kNever;
}

// HLT with an in-kernel LAPIC, and an application processor between INIT and start-up: sleeps until an event or a
// signal.
Result<int> Vcpu::halt(SignalScope& signals) {
  wake_up_.prepare();
  expire_timers();
  in_guest_.store(false);
  if (!has_wakeup_event()) {
    const s64 deadline = next_deadline_ns();
    const bool is_timed = mp_state_ == kMpStateHalted && deadline != devices::kNever;
    signals.sleep(wake_up_, is_timed ? std::max<s64>(deadline - monotonic_ns(), 0) : -1);
    expire_timers();
  }
  in_guest_.store(true, std::memory_order_relaxed);
  light_fence();
  if (flush_wish_.load()) handle_flush();
  if (mp_state_ == kMpStateHalted && has_wakeup_event() && !has_init_or_sipi()) mp_state_ = kMpStateRunnable;
  return 0;
}

// An application processor before its INIT: sleeps; EAGAIN once something happened, EINTR for a signal.
Result<int> Vcpu::run_uninitialized(SignalScope& signals, bool immediate_exit) {
  if (immediate_exit) return err(EINTR);
  wake_up_.prepare();
  while (!has_init_or_sipi() && !signals.is_interrupted()) signals.sleep(wake_up_, -1);
  accept_apic_events();
  if (!signals.is_interrupted()) return err(EAGAIN);
  run_->exit_reason = exit_number(Exit::Intr);
  return err(EINTR);
}

}  // namespace mock::vm
