// Events, interrupts and the multiprocessing state. api.rst 4.16, 4.31, 4.32, 4.38, 4.39, 4.64, 4.87, 4.96.
#include <cerrno>

#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr bool is_software_exception(u8 vector) { return vector == BP || vector == OF_; }
constexpr u8 kShadowMovSs = 1, kShadowSti = 2;

}  // namespace

Result<kvm_vcpu_events> Vcpu::get_vcpu_events() {
  kvm_vcpu_events out{};
  const auto& exception = events_.exception;
  const bool payload = vm_.config().exception_payload;
  if (!payload && exception.pending && exception.has_payload) apply_exception_payload();
  if (!is_software_exception(exception.vector)) {
    out.exception.injected = exception.injected;
    out.exception.pending = exception.pending;
    // Without the payload capability pending and injected are not told apart.
    if (!payload) out.exception.injected |= exception.pending;
  }
  out.exception.nr = exception.vector;
  out.exception.has_error_code = exception.has_error_code;
  out.exception.error_code = exception.error_code;
  out.exception_has_payload = exception.has_payload;
  out.exception_payload = exception.payload;
  out.interrupt.injected = events_.interrupt.injected && !events_.interrupt.soft;
  out.interrupt.nr = events_.interrupt.vector;
  // SVM knows one shadow and reports it as both kinds.
  if (state().interrupt_shadow_sti || state().interrupt_shadow_mov_ss) out.interrupt.shadow = kShadowMovSs | kShadowSti;
  out.nmi.injected = events_.nmi_injected;
  // A number since 6.4, before a yes or no.
  out.nmi.pending = vm_.profile().since(6, 12) ? events_.nmi_pending : events_.nmi_pending != 0;
  out.nmi.masked = state().nmi_blocked;
  out.smi.smm = state().in_smm;
  out.smi.pending = events_.smi_pending;
  out.smi.smm_inside_nmi = state().smm_inside_nmi;
  out.smi.latched_init = lapic_ && (lapic_->signals() & devices::Lapic::kInit);
  out.flags = kVcpueventValidNmiPending | kVcpueventValidShadow | kVcpueventValidSmm;
  if (payload) out.flags |= kVcpueventValidPayload;
  if (vm_.config().triple_fault_event) {
    out.triple_fault.pending = events_.triple_fault;
    out.flags |= kVcpueventValidTripleFault;
  }
  return out;
}

Result<int> Vcpu::set_vcpu_events(const kvm_vcpu_events& in) {
  u32 known = kVcpueventValidNmiPending | kVcpueventValidSipiVector | kVcpueventValidShadow | kVcpueventValidSmm |
              kVcpueventValidPayload;
  if (vm_.profile().since(6, 1)) known |= kVcpueventValidTripleFault;
  if (in.flags & ~known) return err(EINVAL);
  bool pending = in.exception.pending, injected = in.exception.injected, has_payload = in.exception_has_payload;
  if (in.flags & kVcpueventValidPayload) {
    if (!vm_.config().exception_payload) return err(EINVAL);
    if (pending)
      injected = false;
    else
      has_payload = false;
  } else {
    pending = has_payload = false;
  }
  if ((injected || pending) && (in.exception.nr > 31 || in.exception.nr == NMI)) return err(EINVAL);
  if ((in.flags & kVcpueventValidSmm) && (in.smi.smm || in.smi.pending) && mp_state_ == kMpStateInitReceived)
    return err(EINVAL);

  auto& exception = events_.exception;
  exception.injected = injected;
  exception.pending = pending;
  exception.vector = in.exception.nr;
  exception.has_error_code = in.exception.has_error_code;
  exception.error_code = in.exception.error_code;
  exception.has_payload = has_payload;
  exception.payload = in.exception_payload;
  events_.interrupt = {
      .injected = in.interrupt.injected != 0, .soft = in.interrupt.soft != 0, .vector = in.interrupt.nr};
  if (in.flags & kVcpueventValidShadow) {
    state().interrupt_shadow_sti = in.interrupt.shadow != 0;
    state().interrupt_shadow_mov_ss = false;
  }
  events_.nmi_injected = in.nmi.injected;
  if (in.flags & kVcpueventValidNmiPending) events_.nmi_pending = std::min<u8>(in.nmi.pending, in.nmi.masked ? 1 : 2);
  state().nmi_blocked = in.nmi.masked;
  if (in.flags & kVcpueventValidSmm) {
    set_smm(in.smi);
  }
  if (in.flags & kVcpueventValidTripleFault) {
    if (!vm_.config().triple_fault_event) return err(EINVAL);
    events_.triple_fault = in.triple_fault.pending;
  }
  state_changed_ = true;
  return 0;
}

// Leaving SMM forgets that NMIs were blocked before it; without SMM the field says nothing.
void Vcpu::set_smm(const kvm_vcpu_events_smi& smi) {
  cpu::State& s = state();
  if (s.in_smm != (smi.smm != 0)) translations_changed_ = true;
  s.in_smm = smi.smm != 0;
  s.smm_inside_nmi = s.in_smm && smi.smm_inside_nmi;
  events_.smi_pending = smi.pending != 0;
  if (!lapic_) return;
  if (smi.latched_init)
    lapic_->accept({.mode = devices::DeliveryMode::init});
  else
    lapic_->take_signals(devices::Lapic::kInit);
}

// The side effect that a payload describes: DR6 of a #DB, CR2 of a #PF (kvm_deliver_exception_payload()).
void Vcpu::apply_exception_payload() {
  auto& exception = events_.exception;
  if (exception.vector == DB) {
    state().dr6 = (state().dr6 & ~u64{0xf}) | exception.payload;
  } else if (exception.vector == PF_) {
    state().cr2 = exception.payload;
  }
  exception.has_payload = false;
  exception.payload = 0;
}

Result<kvm_mp_state> Vcpu::get_mp_state() {
  accept_apic_events();
  return kvm_mp_state{mp_state_};
}

Result<int> Vcpu::set_mp_state(const kvm_mp_state& wanted) {
  switch (wanted.mp_state) {
    case kMpStateRunnable:
      break;
    case kMpStateUninitialized:
    case kMpStateHalted:
    case kMpStateApResetHold:
    case kMpStateInitReceived:
    case kMpStateSipiReceived:
      if (!has_lapic() && !vm_.has_defect(Defect::mp_state_accepts_halted_without_lapic)) return err(EINVAL);
      break;
    default:
      // QUIRK(kvm, until 5.10, kvm_arch_vcpu_ioctl_set_mpstate): with a local APIC any number is taken.
      if (vm_.profile().since(6, 1) || !has_lapic()) return err(EINVAL);
  }
  const bool is_init_or_sipi = wanted.mp_state == kMpStateInitReceived || wanted.mp_state == kMpStateSipiReceived;
  if (is_init_or_sipi && (state().in_smm || events_.smi_pending)) return err(EINVAL);
  if (wanted.mp_state == kMpStateSipiReceived) {
    mp_state_ = kMpStateInitReceived;
    lapic_->accept({.mode = devices::DeliveryMode::start_up, .vector = lapic_->start_up_vector()});
  } else {
    mp_state_ = wanted.mp_state;
  }
  return 0;
}

// kvm_vcpu_ioctl_interrupt().
Result<int> Vcpu::interrupt(const kvm_interrupt& request) {
  if (request.irq >= 256) return err(EINVAL);
  if (!has_lapic()) {
    events_.interrupt = {.injected = true, .soft = false, .vector = static_cast<u8>(request.irq)};
    return 0;
  }
  if (vm_.irqchip_mode() == IrqchipMode::kernel) return err(ENXIO);
  if (pending_external_vector_ != -1) return err(EEXIST);
  pending_external_vector_ = static_cast<int>(request.irq);
  return 0;
}

Result<int> Vcpu::nmi() {
  const unsigned limit = state().nmi_blocked || events_.nmi_injected ? 1 : 2;
  if (events_.nmi_pending < limit) ++events_.nmi_pending;
  return 0;
}

Result<int> Vcpu::smi() {
  events_.smi_pending = true;
  return 0;
}

Result<int> Vcpu::set_guest_debug(const kvm_guest_debug& debug) {
  if (debug.control & (kGuestdbgInjectDb | kGuestdbgInjectBp)) {
    if (events_.exception.pending || events_.exception.injected) return err(EBUSY);
    queue_exception(debug.control & kGuestdbgInjectDb ? DB : BP);
  }
  const u64 rflags = visible_rflags();
  guest_debug_ = debug.control & kGuestdbgEnable ? debug.control : 0;
  debug_registers_ = debug.arch.debugreg;
  state().owner = {.takes_debug = (guest_debug_ & (kGuestdbgSinglestep | kGuestdbgUseHwBp)) != 0,
                   .steps = is_stepping(),
                   .step_rip = linear_rip()};
  set_visible_rflags(rflags);
  state_changed_ = true;
  return 0;
}

}  // namespace mock::vm
