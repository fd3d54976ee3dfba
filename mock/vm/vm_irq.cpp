// Interrupt controller ioctls of a VM. api.rst 4.24-4.27, 4.52, 4.71-4.73, 4.99; the order of checks is the kernel's.
#include <cerrno>

#include "mock/vm/irqchip.hpp"
#include "mock/vm/irqfd.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {

Result<int> Vm::create_irqchip() {
  std::lock_guard lock(lock_);
  if (has_irqchip()) return err(EEXIST);
  if (created_vcpus_) return err(EINVAL);
  irqchip_ = std::make_unique<Irqchip>(*this, true);
  irqfds_ = std::make_unique<Irqfds>(*irqchip_);
  irqchip_mode_.store(IrqchipMode::kernel, std::memory_order_release);
  return 0;
}

Result<int> Vm::enable_split_irqchip(u64 pins) {
  constexpr u32 kMaxReservedPins = 4096;
  std::lock_guard lock(lock_);
  if (pins > kMaxReservedPins) return err(EINVAL);
  if (has_irqchip() || created_vcpus_) return err(EEXIST);
  config_.reserved_ioapic_pins = static_cast<u32>(pins);
  irqchip_ = std::make_unique<Irqchip>(*this, false);
  irqfds_ = std::make_unique<Irqfds>(*irqchip_);
  irqchip_mode_.store(IrqchipMode::split, std::memory_order_release);
  return 0;
}

Result<int> Vm::irq_line(const kvm_irq_level& level) {
  if (!has_irqchip()) return err(ENXIO);
  irqchip_->set_line(IrqSource::user, level.irq, level.level != 0);
  return 0;
}

Result<int> Vm::irq_line_status(kvm_irq_level& level) {
  if (!has_irqchip()) return err(ENXIO);
  // The answer overwrites the gsi.
  level.irq = static_cast<u32>(irqchip_->set_line(IrqSource::user, level.irq, level.level != 0));
  return 0;
}

Result<int> Vm::get_irqchip(kvm_irqchip& chip) {
  if (irqchip_mode() != IrqchipMode::kernel) return err(ENXIO);
  return irqchip_->get_chip(chip);
}

Result<int> Vm::set_irqchip(const kvm_irqchip& chip) {
  if (irqchip_mode() != IrqchipMode::kernel) return err(ENXIO);
  return irqchip_->set_chip(chip);
}

Result<int> Vm::set_gsi_routing(UserPointer list) {
  kvm_irq_routing header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (!has_irqchip()) return err(EINVAL);
  if (header.nr > kMaxRoutes || header.flags) return err(EINVAL);
  std::vector<kvm_irq_routing_entry> entries(header.nr);
  if (!copy_from_user(entries.data(), list.address + sizeof header, entries.size() * sizeof(kvm_irq_routing_entry)))
    return err(EFAULT);
  return irqchip_->set_routing(entries);
}

Result<int> Vm::signal_msi(const kvm_msi& msi) {
  if (!has_irqchip() || (msi.flags & ~kMsiValidDevid)) return err(EINVAL);
  if (config_.x2apic_32bit_ids && (msi.address_hi & 0xff)) return err(EINVAL);
  const int reached = irqchip_->signal_msi(msi.address_lo, msi.address_hi, msi.data);
  // QUIRK(kvm, all, kvm_send_userspace_msi): "nobody" is a raw -1, which reads as EPERM.
  if (reached < 0) return err(EPERM);
  return reached;
}

Result<int> Vm::create_pit_with(u32 flags) {
  // Up to 6.1 a PIT without PIC was accepted; it interrupts nobody.
  if (profile().since(6, 12) && irqchip_mode() != IrqchipMode::kernel) return err(ENOENT);
  std::lock_guard lock(lock_);
  if (!irqchip_) lone_pit_ = lone_pit_ ? std::move(lone_pit_) : std::make_unique<Irqchip>(*this, false);
  return (irqchip_ ? *irqchip_ : *lone_pit_).create_pit(flags);
}

Irqchip* Vm::pit_owner() { return irqchip_ && irqchip_->has_pit() ? irqchip_.get() : lone_pit_.get(); }

Result<int> Vm::create_pit() {
  if (Irqchip* owner = pit_owner(); owner && owner->has_pit()) return err(EEXIST);
  return create_pit_with(kPitSpeakerDummy);
}

Result<int> Vm::create_pit2(const kvm_pit_config& config) {
  if (Irqchip* owner = pit_owner(); owner && owner->has_pit()) return err(EEXIST);
  return create_pit_with(config.flags);
}

Result<kvm_pit_state2> Vm::get_pit2() {
  Irqchip* owner = pit_owner();
  if (!owner) return err(ENXIO);
  return *owner->pit_state();
}

Result<int> Vm::set_pit2(const kvm_pit_state2& state) {
  Irqchip* owner = pit_owner();
  return owner && owner->set_pit_state(state, true) ? Result<int>(0) : err(ENXIO);
}

Result<int> Vm::get_pit(kvm_pit_state& state) {
  Irqchip* owner = pit_owner();
  if (!owner) return err(ENXIO);
  state.channels = owner->pit_state()->channels;
  return 0;
}

Result<int> Vm::set_pit(const kvm_pit_state& state) {
  Irqchip* owner = pit_owner();
  if (!owner) return err(ENXIO);
  kvm_pit_state2 full{};
  full.channels = state.channels;
  return owner->set_pit_state(full, false) ? Result<int>(0) : err(ENXIO);
}

Result<int> Vm::reinject_control(const kvm_reinject_control& control) {
  Irqchip* owner = pit_owner();
  if (!owner) return err(ENXIO);
  owner->set_pit_reinject(control.pit_reinject);
  return 0;
}

}  // namespace mock::vm
