// The I/O APIC (Intel 82093AA data sheet) with 24 pins, as KVM models it: version 0x11, no EOI register, remote IRR
// cleared when an entry is made edge-triggered. Leaves out KVM's coalescing report for the RTC pin.
#pragma once

#include <array>

#include "mock/devices/apic_message.hpp"

namespace mock::devices {

class IoApic {
 public:
  static constexpr unsigned kPins = 24;
  static constexpr u64 kDefaultBase = 0xfec00000;
  static constexpr u64 kWindowBytes = 0x100;

  // Field for field what struct kvm_ioapic_state holds.
  struct State {
    u64 base_address = kDefaultBase;
    u32 ioregsel = 0;
    u32 id = 0;
    u32 irr = 0;
    std::array<u64, kPins> redirtbl{};
  };

  class Bus {
   public:
    virtual ~Bus() = default;
    // How many local APICs took the message; -1: no one was addressed.
    virtual int deliver(const ApicMessage& message) = 0;
    // A pin's interrupt was acknowledged by an EOI.
    virtual void ioapic_acknowledged(unsigned pin) = 0;
  };

  // Redirection table bits.
  static constexpr u64 kDeliveryStatus = 1u << 12, kLogical = 1u << 11, kRemoteIrr = 1u << 14, kLevel = 1u << 15,
                       kMasked = 1u << 16;

  explicit IoApic(Bus& bus) : bus_(bus) { reset(); }

  // Drives a pin. The number of CPUs reached, 0 if coalesced, -1 if masked (KVM_IRQ_LINE_STATUS).
  int set_line(unsigned pin, bool level);

  bool covers(u64 address) const {
    return address >= state_.base_address && address < state_.base_address + kWindowBytes;
  }
  // Offsets 0x00 (select) and 0x10 (window); other registers read as 0 and ignore writes.
  u32 read(u64 address) const;
  void write(u64 address, u32 value);

  // A local APIC has signalled the end of `vector`. `directed`: it suppresses broadcasts, remote IRR stays.
  void end_of_interrupt(u8 vector, bool is_level_triggered, bool directed = false);
  // Does an EOI of this vector mean anything here?
  bool wants_eoi(u8 vector) const;

  void reset();
  const State& state() const { return state_; }
  // Loads saved state (KVM_SET_IRQCHIP): pending requests are delivered as if their lines had just risen.
  void set_state(const State& state);

 private:
  int service(unsigned pin);
  u32 read_selected() const;
  void write_selected(u32 value);
  void write_redirection(unsigned pin, bool high_half, u32 value);

  State state_;
  Bus& bus_;
};

}  // namespace mock::devices
