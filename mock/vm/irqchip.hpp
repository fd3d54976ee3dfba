// The interrupt controllers of one VM and the wires between them: routing table, PIC pair, I/O APIC, PIT, and the way
// from a message to the local APICs. Modes: all chips in the kernel (KVM_CREATE_IRQCHIP) or only the local APICs
// (KVM_CAP_SPLIT_IRQCHIP).
//
// One lock guards routing and chips. It is taken before Vm's own lock, never the other way round.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "kvmapi/uapi/all.hpp"
#include "kvmapi/uapi/constants.hpp"
#include "mock/devices/clock.hpp"
#include "mock/devices/ioapic.hpp"
#include "mock/devices/lapic.hpp"
#include "mock/devices/pic.hpp"
#include "mock/devices/pit.hpp"
#include "mock/vm/context.hpp"

namespace mock::vm {

inline constexpr u32 kMaxRoutes = 4096;

// Who drives a line: levels of several sources are ORed.
enum class IrqSource : u8 { user, pit, irqfd };

class Irqchip final : private devices::IoApic::Bus, private devices::Pic::Listener, private devices::Clock {
 public:
  Irqchip(Vm& vm, bool has_chips);

  // Drives a gsi. Delivered CPUs, 0 = coalesced, -1 = ignored or masked.
  int set_line(IrqSource source, u32 gsi, bool level);
  // Sends a message to the local APICs it addresses: how many took it, -1 if it addresses none.
  int deliver(const devices::ApicMessage& message, const devices::Lapic* source = nullptr);
  int signal_msi(u32 address_lo, u32 address_hi, u32 data);
  void end_of_interrupt(u8 vector, bool is_level_triggered);
  // Split mode: does an EOI of this vector on that CPU concern a reserved I/O APIC pin?
  bool wants_eoi_exit(u8 vector, const devices::Lapic& lapic);

  // KVM_SET_GSI_ROUTING's table. EINVAL.
  Result<int> set_routing(const std::vector<kvm_irq_routing_entry>& entries);

  bool has_chips() const { return chips_ != nullptr; }
  // The 8259s' INT output, and the INTA cycle.
  bool pic_output();
  int acknowledge_pic();

  // Ports and memory of the chips; false: not ours.
  bool port_in(u16 port, unsigned size_bytes, void* data);
  bool port_out(u16 port, unsigned size_bytes, const void* data);
  bool mmio_read(u64 address, unsigned size_bytes, void* data);
  bool mmio_write(u64 address, unsigned size_bytes, const void* data);

  // State of the chips. EINVAL for an unknown chip.
  Result<int> get_chip(kvm_irqchip& chip);
  Result<int> set_chip(const kvm_irqchip& chip);
  Result<int> create_pit(u32 flags);
  std::optional<kvm_pit_state2> pit_state();
  bool set_pit_state(const kvm_pit_state2& state, bool has_flags);
  bool has_pit();
  void set_pit_reinject(bool reinject);

  // The PIT's next interrupt, kNever without one; delivers what is due.
  s64 next_deadline_ns();
  void expire(s64 now_ns);

 private:
  struct Chips {
    Chips(devices::IoApic::Bus& bus, devices::Pic::Listener* listener) : pic(listener), ioapic(bus) {}
    devices::Pic pic;
    devices::IoApic ioapic;
  };

  // IoApic::Bus, Pic::Listener, Clock
  int deliver(const devices::ApicMessage& message) override { return deliver(message, nullptr); }
  void ioapic_acknowledged(unsigned pin) override;
  void pic_acknowledged(unsigned line) override;
  s64 now_ns() override;
  u64 tsc() override;
  u64 tsc_khz() override;

  int set_line_locked(IrqSource source, u32 gsi, bool level);
  int drive(const kvm_irq_routing_entry& route, IrqSource source, bool level);
  void acknowledged(u32 irqchip, u32 pin);
  void after_pic_change(bool output_before);
  bool is_pit_port(u16 port) const;

  Vm& vm_;
  std::recursive_mutex lock_;
  std::unique_ptr<Chips> chips_;
  std::unique_ptr<devices::Pit> pit_;
  bool pit_has_speaker_ = false;
  bool pit_reinject_ = true;
  std::multimap<u32, kvm_irq_routing_entry> routes_;
  std::array<u8, 16> pic_levels_{};  // per line, one bit per source
  std::array<u8, 24> ioapic_levels_{};
};

}  // namespace mock::vm
