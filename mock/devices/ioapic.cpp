#include "mock/devices/ioapic.hpp"

namespace mock::devices {
namespace {

constexpr u32 kVersion = 0x11;
constexpr u32 kRegisterId = 0, kRegisterVersion = 1, kRegisterArbitration = 2, kRegisterTable = 0x10;
constexpr u64 kOffsetSelect = 0x00, kOffsetWindow = 0x10;

ApicMessage message_of(u64 entry) {
  return {.destination = static_cast<u32>(entry >> 56),
          .is_logical = (entry & IoApic::kLogical) != 0,
          .mode = static_cast<DeliveryMode>((entry >> 8) & 7),
          .vector = static_cast<u8>(entry),
          .is_level_triggered = (entry & IoApic::kLevel) != 0};
}

}  // namespace

void IoApic::reset() {
  state_ = {};
  state_.redirtbl.fill(kMasked);
}

int IoApic::set_line(unsigned pin, bool level) {
  const u32 mask = 1u << pin;
  if (!level) {
    state_.irr &= ~mask;
    return 1;
  }
  const bool was_requested = state_.irr & mask;
  state_.irr |= mask;
  const bool is_edge = !(state_.redirtbl[pin] & kLevel);
  if (is_edge && was_requested) return 0;
  return service(pin);
}

// The one place that sends: -1 while masked or waiting for an EOI.
int IoApic::service(unsigned pin) {
  u64& entry = state_.redirtbl[pin];
  if (entry & kMasked) return -1;
  if ((entry & kLevel) && (entry & kRemoteIrr)) return -1;
  const int reached = bus_.deliver(message_of(entry));
  if (reached != 0 && (entry & kLevel)) entry |= kRemoteIrr;
  return reached;
}

u32 IoApic::read(u64 address) const {
  switch (address & 0xf0 & (kWindowBytes - 1)) {
    case kOffsetSelect:
      return state_.ioregsel;
    case kOffsetWindow:
      return read_selected();
    default:
      return 0;
  }
}

void IoApic::write(u64 address, u32 value) {
  switch (address & 0xf0 & (kWindowBytes - 1)) {
    case kOffsetSelect:
      state_.ioregsel = value & 0xff;
      break;
    case kOffsetWindow:
      write_selected(value);
      break;
    default:
      break;
  }
}

u32 IoApic::read_selected() const {
  switch (state_.ioregsel) {
    case kRegisterId:
    case kRegisterArbitration:
      return (state_.id & 0xf) << 24;
    case kRegisterVersion:
      return (kPins - 1) << 16 | kVersion;
    default: {
      const u32 pin = (state_.ioregsel - kRegisterTable) >> 1;
      const u64 entry = pin < kPins ? state_.redirtbl[pin] : ~u64{0};
      return static_cast<u32>(state_.ioregsel & 1 ? entry >> 32 : entry);
    }
  }
}

void IoApic::write_selected(u32 value) {
  switch (state_.ioregsel) {
    case kRegisterId:
      state_.id = (value >> 24) & 0xf;
      break;
    case kRegisterVersion:
    case kRegisterArbitration:
      break;
    default: {
      const u32 pin = (state_.ioregsel - kRegisterTable) >> 1;
      if (pin < kPins) write_redirection(pin, state_.ioregsel & 1, value);
      break;
    }
  }
}

void IoApic::write_redirection(unsigned pin, bool high_half, u32 value) {
  u64& entry = state_.redirtbl[pin];
  const u64 read_only = entry & (kRemoteIrr | kDeliveryStatus);
  entry = high_half ? (entry & 0xffffffff) | u64{value} << 32 : (entry & ~u64{0xffffffff}) | value;
  entry = (entry & ~(kRemoteIrr | kDeliveryStatus)) | read_only;
  // Operating systems switch to edge and back to simulate an EOI.
  if (!(entry & kLevel)) entry &= ~kRemoteIrr;
  const bool is_waiting = state_.irr & (1u << pin);
  if ((entry & kLevel) && is_waiting && !(entry & kMasked) && !(entry & kRemoteIrr)) service(pin);
}

bool IoApic::wants_eoi(u8 vector) const {
  for (const u64 entry : state_.redirtbl) {
    if (static_cast<u8>(entry) == vector && (entry & kLevel)) return true;
  }
  return false;
}

void IoApic::end_of_interrupt(u8 vector, bool is_level_triggered, bool directed) {
  for (unsigned pin = 0; pin < kPins; ++pin) {
    u64& entry = state_.redirtbl[pin];
    if (static_cast<u8>(entry) != vector) continue;
    bus_.ioapic_acknowledged(pin);
    if (!is_level_triggered || directed) continue;
    entry &= ~kRemoteIrr;
    if (!(entry & kMasked) && (state_.irr & (1u << pin))) service(pin);
  }
}

void IoApic::set_state(const State& state) {
  const u32 waiting = state.irr;
  state_ = state;
  state_.irr = 0;
  for (unsigned pin = 0; pin < kPins; ++pin) {
    if (waiting & (1u << pin)) set_line(pin, true);
  }
}

}  // namespace mock::devices
