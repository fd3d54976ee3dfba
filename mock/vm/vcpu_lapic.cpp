// The local APIC of a vcpu: its ioctls (api.rst 4.57, 4.58; KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR), its page,
// and what it asks of the vcpu (INIT, SIPI, NMI).
#include <cerrno>
#include <cstring>

#include "mock/vm/irqchip.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;
using devices::Lapic;

Result<kvm_lapic_state> Vcpu::get_lapic() {
  if (!lapic_) return err(EINVAL);
  expire_timers();
  return std::bit_cast<kvm_lapic_state>(lapic_->state(vm_.config().x2apic_32bit_ids));
}

Result<int> Vcpu::set_lapic(UserPointer pointer) {
  if (!lapic_) return err(EINVAL);
  kvm_lapic_state state;
  if (!get_user(state, pointer.address)) return err(EFAULT);
  return lapic_->set_state(state.regs, vm_.config().x2apic_32bit_ids) ? Result<int>(0) : err(EINVAL);
}

Result<int> Vcpu::tpr_access_reporting(kvm_tpr_access_ctl& control) {
  if (control.flags) return err(EINVAL);
  reports_tpr_access_ = control.enabled != 0;
  return 0;
}

Result<int> Vcpu::set_vapic_addr(UserPointer pointer) {
  if (!lapic_) return err(EINVAL);
  kvm_vapic_addr address;
  if (!get_user(address, pointer.address)) return err(EFAULT);
  if (!address.vapic_addr) return 0;
  std::shared_lock lock(vm_.slots().mutex());
  return vm_.slots().space(0).find(address.vapic_addr / kPageSize) ? Result<int>(0) : err(EINVAL);
}

void Vcpu::set_apic_base(u64 value) {
  apic_base_ = value;
  if (lapic_) lapic_->set_base(value);
}

void Vcpu::set_cr8(u8 value) {
  if (lapic_)
    lapic_->set_tpr(static_cast<u8>(value << 4));
  else
    cr8_ = value;
}

void Vcpu::kick_if_pic_reaches() {
  if (lapic_ && lapic_->accepts_pic()) kick();
}

void Vcpu::send_ipi(const devices::ApicMessage& message, const Lapic& source) {
  vm_.irqchip()->deliver(message, &source);
}

void Vcpu::end_of_interrupt(u8 vector, bool is_level_triggered, const Lapic&) {
  if (vm_.irqchip_mode() == IrqchipMode::split) {
    if (vm_.irqchip()->wants_eoi_exit(vector, *lapic_)) pending_eoi_ = vector;
  } else {
    vm_.irqchip()->end_of_interrupt(vector, is_level_triggered);
  }
}

u64 Vcpu::tsc() { return read_tsc() + state().tsc_offset; }
s64 Vcpu::now_ns() { return monotonic_ns(); }
u64 Vcpu::tsc_khz() { return tsc_khz_; }

// The APIC page, when the APIC is on and in xAPIC mode. Only aligned 32-bit writes mean something (apic_mmio_write()).
std::optional<Reply> Vcpu::lapic_read(Gpa address, unsigned size, void* data) {
  if (!lapic_->covers(address.value)) return std::nullopt;
  if (!lapic_->is_enabled_by_base() || lapic_->is_x2apic()) {
    if (!vm_.has_quirk(kX86QuirkLapicMmioHole)) return std::nullopt;
    std::memset(data, 0xff, size);
    return Reply::done;
  }
  const u32 offset = address.value & 0xfff;
  if (offset == devices::kApicTpr && reports_tpr_access_) return Reply::exit;
  read_lapic_register(offset, size, data);
  return Reply::done;
}

void Vcpu::read_lapic_register(u32 offset, unsigned size, void* data) {
  u32 value = 0;
  std::memset(data, 0, size);
  if ((offset & 15) + size > 4 || !lapic_->read(offset & ~15u, value)) return;
  std::memcpy(data, reinterpret_cast<const u8*>(&value) + (offset & 15), size);
}

std::optional<Reply> Vcpu::lapic_write(Gpa address, unsigned size, const void* data) {
  if (!lapic_->covers(address.value)) return std::nullopt;
  if (!lapic_->is_enabled_by_base() || lapic_->is_x2apic())
    return vm_.has_quirk(kX86QuirkLapicMmioHole) ? std::optional(Reply::done) : std::nullopt;
  const u32 offset = address.value & 0xfff;
  if (size != 4 || (offset & 15)) return Reply::done;
  u32 value;
  std::memcpy(&value, data, 4);
  lapic_->write(offset, value);
  // Exits that follow the write: the CPU stops as for user space, with RIP past the instruction.
  if (offset == devices::kApicTpr && reports_tpr_access_) return Reply::exit;
  return pending_eoi_ ? Reply::exit : Reply::done;
}

// kvm_apic_accept_events(): INIT and start-up requests, in their order.
void Vcpu::accept_apic_events() {
  if (!lapic_) return;
  if (state().in_smm) {  // INIT waits for RSM, a start-up request is lost
    lapic_->take_signals(Lapic::kStartUp);
  } else if (lapic_->take_signals(Lapic::kInit)) {
    init_registers();
    lapic_->reset(true);
    mp_state_ = is_bsp() ? kMpStateRunnable : kMpStateInitReceived;
  }
  if (lapic_->take_signals(Lapic::kStartUp) && mp_state_ == kMpStateInitReceived) {
    const u8 vector = lapic_->start_up_vector();
    Segment& cs = state().seg[CS];
    cs.selector = static_cast<u16>(vector << 8);
    cs.base = u64{vector} << 12;
    state().rip = 0;
    state_changed_ = translations_changed_ = true;
    mp_state_ = kMpStateRunnable;
  }
  if (lapic_->take_signals(Lapic::kNmi)) (void)nmi();
  if (lapic_->take_signals(Lapic::kSmi)) (void)smi();
}

bool Vcpu::has_init_or_sipi() const {
  return lapic_ && !state().in_smm && (lapic_->signals() & (Lapic::kInit | Lapic::kStartUp));
}

void Vcpu::expire_timers_of_chips() {
  const s64 lapic_deadline = lapic_->next_deadline_ns();
  const s64 chips_deadline = vm_.irqchip()->next_deadline_ns();
  if (lapic_deadline == devices::kNever && chips_deadline == devices::kNever) return;
  const s64 now = monotonic_ns();
  if (lapic_deadline <= now) lapic_->expire(now);
  if (chips_deadline <= now) vm_.irqchip()->expire(now);
}

// kvm_cpu_has_interrupt(): a vector that could be delivered if the CPU took it.
bool Vcpu::finds_interrupt() const {
  if (pending_external_vector_ >= 0 && (!lapic_ || lapic_->accepts_pic())) return true;
  if (!lapic_) return false;
  if (vm_.irqchip()->pic_output() && lapic_->accepts_pic()) return true;
  return lapic_->pending_vector() >= 0;
}

int Vcpu::acknowledge_interrupt() {
  if (pending_external_vector_ >= 0 && (!lapic_ || lapic_->accepts_pic()))
    return std::exchange(pending_external_vector_, -1);
  if (!lapic_) return -1;
  if (vm_.irqchip()->pic_output() && lapic_->accepts_pic()) return vm_.irqchip()->acknowledge_pic();
  const int vector = lapic_->pending_vector();
  if (vector >= 0) lapic_->acknowledge(static_cast<u8>(vector));
  return vector;
}

}  // namespace mock::vm
