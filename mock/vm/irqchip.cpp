#include "mock/vm/irqchip.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "mock/vm/irqfd.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {

using namespace devices;

namespace {

template <class To, class From>
To same_bytes(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  return std::bit_cast<To>(from);
}

}  // namespace

Irqchip::Irqchip(Vm& vm, bool has_chips) : vm_(vm) {
  if (!has_chips) return;
  chips_ = std::make_unique<Chips>(static_cast<IoApic::Bus&>(*this), static_cast<Pic::Listener*>(this));
  // kvm_setup_default_irq_routing(): gsi 0-15 reach PIC and I/O APIC (timer on pin 2 as well as 0), 16-23 the I/O APIC.
  for (u32 gsi = 0; gsi < IoApic::kPins; ++gsi) {
    kvm_irq_routing_entry entry{.gsi = gsi, .type = kIrqRoutingIrqchip, .flags = 0, .pad = 0, .u = {}};
    entry.u.set(kvm_irq_routing_irqchip{.irqchip = kIrqchipIoapic, .pin = gsi});
    routes_.emplace(gsi, entry);
    if (gsi >= 16) continue;
    entry.u.set(kvm_irq_routing_irqchip{.irqchip = gsi < 8 ? kIrqchipPicMaster : kIrqchipPicSlave, .pin = gsi % 8});
    routes_.emplace(gsi, entry);
  }
}

int Irqchip::set_line(IrqSource source, u32 gsi, bool level) {
  std::lock_guard lock(lock_);
  return set_line_locked(source, gsi, level);
}

int Irqchip::set_line_locked(IrqSource source, u32 gsi, bool level) {
  int result = -1;
  const auto [first, last] = routes_.equal_range(gsi);
  for (auto route = first; route != last; ++route) {
    const int reached = drive(route->second, source, level);
    if (reached >= 0) result = reached + std::max(result, 0);
  }
  return result;
}

int Irqchip::drive(const kvm_irq_routing_entry& route, IrqSource source, bool level) {
  if (route.type == kIrqRoutingMsi) {
    if (!level) return -1;
    const auto msi = route.u.as<kvm_irq_routing_msi>();
    return signal_msi(msi.address_lo, msi.address_hi, msi.data);
  }
  if (!chips_) return -1;
  const auto pin = route.u.as<kvm_irq_routing_irqchip>();
  const auto combine = [&](u8& sources) {
    const u8 bit = static_cast<u8>(1u << static_cast<unsigned>(source));
    sources = level ? sources | bit : sources & ~bit;
    return sources != 0;
  };
  if (pin.irqchip == kIrqchipIoapic) return chips_->ioapic.set_line(pin.pin, combine(ioapic_levels_[pin.pin]));
  const unsigned line = pin.pin + (pin.irqchip == kIrqchipPicSlave ? 8 : 0);
  const bool before = chips_->pic.output();
  const Pic::Delivery delivery = chips_->pic.set_line(line, combine(pic_levels_[line]));
  after_pic_change(before);
  return static_cast<int>(delivery);
}

void Irqchip::after_pic_change(bool output_before) {
  if (!output_before && chips_->pic.output()) vm_.for_each_vcpu([](Vcpu& vcpu) { vcpu.kick_if_pic_reaches(); });
}

int Irqchip::signal_msi(u32 address_lo, u32 address_hi, u32 data) {
  if (vm_.config().x2apic_32bit_ids && (address_hi & 0xff)) return -1;
  return deliver(msi_message(address_lo, address_hi, data, vm_.config().x2apic_32bit_ids), nullptr);
}

// kvm_irq_delivery_to_apic(): lowest priority picks one CPU, everything else reaches all that are addressed.
int Irqchip::deliver(const ApicMessage& message, const Lapic* source) {
  const bool quirk = !vm_.config().x2apic_broadcast_quirk_disabled;
  const bool lowest = message.mode == DeliveryMode::lowest_priority || message.redirection_hint;
  int result = -1;
  Vcpu* chosen = nullptr;
  bool has_map = false;
  vm_.for_each_vcpu([&](Vcpu& vcpu) {
    Lapic* lapic = vcpu.lapic();
    has_map |= lapic != nullptr;
    if (!lapic || !lapic->matches(message, source, quirk)) return;
    if (!lowest) {
      const bool taken = lapic->accept(message);
      result = std::max(result, 0) + (taken ? 1 : 0);
      if (taken) vcpu.kick();
    } else if (lapic->is_enabled() && (!chosen || lapic->arbitration_count() < chosen->lapic()->arbitration_count())) {
      chosen = &vcpu;
    }
  });
  // QUIRK(kvm, all, kvm_irq_delivery_to_apic_fast): a destination that the map of APIC ids does not have counts as 0
  // deliveries, a broadcast or an empty map as "nobody".
  const bool is_broadcast = (message.destination & 0xff) == 0xff;
  if (result < 0 && !chosen && has_map && !is_broadcast) return 0;
  if (!chosen) return result;
  const bool taken = chosen->lapic()->accept(message);
  if (taken) chosen->kick();
  return taken ? 1 : 0;
}

void Irqchip::end_of_interrupt(u8 vector, bool is_level_triggered) {
  if (!chips_) return;
  std::lock_guard lock(lock_);
  chips_->ioapic.end_of_interrupt(vector, is_level_triggered);
}

bool Irqchip::wants_eoi_exit(u8 vector, const Lapic& lapic) {
  if (chips_) return false;
  std::lock_guard lock(lock_);
  for (const auto& [gsi, route] : routes_) {
    if (gsi >= vm_.config().reserved_ioapic_pins || route.type != kIrqRoutingMsi) continue;
    const auto msi = route.u.as<kvm_irq_routing_msi>();
    const ApicMessage message = msi_message(msi.address_lo, msi.address_hi, msi.data, vm_.config().x2apic_32bit_ids);
    if (message.vector == vector && message.is_level_triggered && lapic.matches(message, nullptr)) return true;
  }
  return false;
}

Result<int> Irqchip::set_routing(const std::vector<kvm_irq_routing_entry>& entries) {
  std::multimap<u32, kvm_irq_routing_entry> routes;
  for (const kvm_irq_routing_entry& entry : entries)
    if (entry.gsi >= kMaxRoutes) return err(EINVAL);
  for (const kvm_irq_routing_entry& entry : entries) {
    if (entry.flags & ~(entry.type == kIrqRoutingMsi ? kMsiValidDevid : 0)) return err(EINVAL);
    const auto pin = entry.u.as<kvm_irq_routing_irqchip>();
    // One route per gsi, except to different chips.
    const auto [first, last] = routes.equal_range(entry.gsi);
    for (auto other = first; other != last; ++other)
      if (entry.type != kIrqRoutingIrqchip || other->second.type != kIrqRoutingIrqchip ||
          other->second.u.as<kvm_irq_routing_irqchip>().irqchip == pin.irqchip)
        return err(EINVAL);
    switch (entry.type) {
      case kIrqRoutingIrqchip:
        if (!chips_ || pin.irqchip > kIrqchipIoapic) return err(EINVAL);
        if (pin.pin >= (pin.irqchip == kIrqchipIoapic ? IoApic::kPins : 8)) return err(EINVAL);
        break;
      case kIrqRoutingMsi:
        if (vm_.config().x2apic_32bit_ids && (entry.u.as<kvm_irq_routing_msi>().address_hi & 0xff)) return err(EINVAL);
        break;
      default:
        return err(EINVAL);
    }
    routes.emplace(entry.gsi, entry);
  }
  std::lock_guard lock(lock_);
  routes_ = std::move(routes);
  return 0;
}

bool Irqchip::pic_output() {
  if (!chips_) return false;
  std::lock_guard lock(lock_);
  return chips_->pic.output();
}

int Irqchip::acknowledge_pic() {
  std::lock_guard lock(lock_);
  return chips_->pic.acknowledge();
}

bool Irqchip::is_pit_port(u16 port) const {
  return pit_ && (Pit::covers(port) || (pit_has_speaker_ && Pit::covers_speaker(port)));
}

// The 8259 takes bytes only; a wider access reads zero and changes nothing (picdev_read(), picdev_write()).
bool Irqchip::port_in(u16 port, unsigned size, void* data) {
  std::lock_guard lock(lock_);
  if (chips_ && Pic::covers(port) && Pic::covers(static_cast<u16>(port + size - 1))) {
    std::memset(data, 0, size);
    if (size == 1) *static_cast<u8*>(data) = chips_->pic.read(port);
    return true;
  }
  if (!is_pit_port(port) || !is_pit_port(static_cast<u16>(port + size - 1))) return false;
  std::memset(data, 0, size);
  *static_cast<u8*>(data) = Pit::covers(port) ? pit_->read(port) : pit_->read_speaker();
  return true;
}

bool Irqchip::port_out(u16 port, unsigned size, const void* data) {
  std::lock_guard lock(lock_);
  const u8 value = *static_cast<const u8*>(data);
  if (chips_ && Pic::covers(port) && Pic::covers(static_cast<u16>(port + size - 1))) {
    if (size != 1) return true;
    const bool before = chips_->pic.output();
    chips_->pic.write(port, value);
    after_pic_change(before);
    return true;
  }
  if (!is_pit_port(port) || !is_pit_port(static_cast<u16>(port + size - 1))) return false;
  if (Pit::covers(port))
    pit_->write(port, value);
  else
    pit_->write_speaker(value);
  return true;
}

bool Irqchip::mmio_read(u64 address, unsigned size, void* data) {
  if (!chips_) return false;
  std::lock_guard lock(lock_);
  if (!chips_->ioapic.covers(address)) return false;
  const u64 value = chips_->ioapic.read(address);
  std::memset(data, 0, size);
  std::memcpy(data, &value, std::min<unsigned>(size, 8));
  return true;
}

bool Irqchip::mmio_write(u64 address, unsigned size, const void* data) {
  if (!chips_) return false;
  std::lock_guard lock(lock_);
  if (!chips_->ioapic.covers(address)) return false;
  u32 value = 0;
  std::memcpy(&value, data, std::min<unsigned>(size, 4));
  chips_->ioapic.write(address, value);
  return true;
}

Result<int> Irqchip::get_chip(kvm_irqchip& chip) {
  std::lock_guard lock(lock_);
  switch (chip.chip_id) {
    case kIrqchipPicMaster:
    case kIrqchipPicSlave:
      chip.chip.set(same_bytes<kvm_pic_state>(chips_->pic.chip(chip.chip_id)));
      return 0;
    case kIrqchipIoapic: {
      const IoApic::State& s = chips_->ioapic.state();
      chip.chip.set(kvm_ioapic_state{.base_address = s.base_address,
                                     .ioregsel = s.ioregsel,
                                     .id = s.id,
                                     .irr = s.irr,
                                     .pad = 0,
                                     .redirtbl = s.redirtbl});
      return 0;
    }
    default:
      return err(EINVAL);
  }
}

Result<int> Irqchip::set_chip(const kvm_irqchip& chip) {
  std::lock_guard lock(lock_);
  const bool before = chips_->pic.output();
  switch (chip.chip_id) {
    case kIrqchipPicMaster:
    case kIrqchipPicSlave:
      chips_->pic.set_chip(chip.chip_id, same_bytes<PicChip>(chip.chip.as<kvm_pic_state>()));
      break;
    case kIrqchipIoapic: {
      const auto s = chip.chip.as<kvm_ioapic_state>();
      chips_->ioapic.set_state(
          {.base_address = s.base_address, .ioregsel = s.ioregsel, .id = s.id, .irr = s.irr, .redirtbl = s.redirtbl});
      break;
    }
    default:
      return err(EINVAL);
  }
  after_pic_change(before);
  return 0;
}

Result<int> Irqchip::create_pit(u32 flags) {
  std::lock_guard lock(lock_);
  if (pit_) return err(EEXIST);
  pit_ = std::make_unique<Pit>(static_cast<devices::Clock&>(*this));
  pit_has_speaker_ = flags & kPitSpeakerDummy;
  return 0;
}

bool Irqchip::has_pit() {
  std::lock_guard lock(lock_);
  return pit_ != nullptr;
}

std::optional<kvm_pit_state2> Irqchip::pit_state() {
  std::lock_guard lock(lock_);
  if (!pit_) return std::nullopt;
  kvm_pit_state2 out{};
  for (unsigned i = 0; i < 3; ++i) out.channels[i] = same_bytes<kvm_pit_channel_state>(pit_->state().channels[i]);
  out.flags = pit_->state().flags;
  return out;
}

bool Irqchip::set_pit_state(const kvm_pit_state2& in, bool has_flags) {
  std::lock_guard lock(lock_);
  if (!pit_) return false;
  Pit::State state;
  for (unsigned i = 0; i < 3; ++i) state.channels[i] = same_bytes<PitChannel>(in.channels[i]);
  state.flags = has_flags ? in.flags : pit_->state().flags;
  const bool legacy_begins = has_flags && (in.flags & Pit::kHpetLegacy) && !(pit_->state().flags & Pit::kHpetLegacy);
  pit_->set_state(state, !legacy_begins);
  return true;
}

void Irqchip::set_pit_reinject(bool reinject) {
  std::lock_guard lock(lock_);
  pit_reinject_ = reinject;
}

s64 Irqchip::next_deadline_ns() {
  if (!chips_) return kNever;
  std::lock_guard lock(lock_);
  return pit_ ? pit_->next_deadline_ns() : kNever;
}

// Pulses that the guest has not acknowledged in time are not made up for beyond one: reinjection would need its EOIs.
void Irqchip::expire(s64 now) {
  std::lock_guard lock(lock_);
  if (!pit_ || !pit_->take_due_pulses(now)) return;
  set_line_locked(IrqSource::pit, 0, true);
  set_line_locked(IrqSource::pit, 0, false);
}

// kvm_notify_acked_irq(): every gsi that is routed to the pin.
void Irqchip::acknowledged(u32 irqchip, u32 pin) {
  if (!vm_.irqfds()) return;
  for (const auto& [gsi, route] : routes_) {
    const auto to = route.u.as<kvm_irq_routing_irqchip>();
    if (route.type == kIrqRoutingIrqchip && to.irqchip == irqchip && to.pin == pin) vm_.irqfds()->acknowledged(gsi);
  }
}

void Irqchip::ioapic_acknowledged(unsigned pin) { acknowledged(kIrqchipIoapic, pin); }
void Irqchip::pic_acknowledged(unsigned line) {
  acknowledged(line < 8 ? kIrqchipPicMaster : kIrqchipPicSlave, line % 8);
}

s64 Irqchip::now_ns() { return monotonic_ns(); }
u64 Irqchip::tsc() { return __builtin_ia32_rdtsc(); }
u64 Irqchip::tsc_khz() { return vm_.profile().tsc_khz; }

}  // namespace mock::vm
