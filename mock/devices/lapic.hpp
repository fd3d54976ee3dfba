// The local APIC of one CPU in xAPIC and x2APIC mode with its timer (SDM vol. 3 chapter 11), as KVM models it: version
// 0x14, six LVT entries, IPIs that are sent at once, registers as struct kvm_lapic_state shows them.
//
// Threads: accept(), matches() and signals may be used from any thread: what they look at is atomic. Everything else
// belongs to the thread that runs the CPU, or happens while it does not run.
#pragma once

#include <array>
#include <atomic>
#include <optional>

#include "mock/devices/apic_message.hpp"
#include "mock/devices/clock.hpp"

namespace mock::devices {

// Register offsets in the xAPIC page; x2APIC MSR = 0x800 + offset / 16.
enum LapicRegister : u32 {
  kApicId = 0x20,
  kApicVersion = 0x30,
  kApicTpr = 0x80,
  kApicArbitration = 0x90,
  kApicPpr = 0xa0,
  kApicEoi = 0xb0,
  kApicLdr = 0xd0,
  kApicDfr = 0xe0,
  kApicSpurious = 0xf0,
  kApicIsr = 0x100,
  kApicTmr = 0x180,
  kApicIrr = 0x200,
  kApicEsr = 0x280,
  kApicLvtCmci = 0x2f0,
  kApicIcr = 0x300,
  kApicIcr2 = 0x310,
  kApicLvtTimer = 0x320,
  kApicLvtThermal = 0x330,
  kApicLvtPerformance = 0x340,
  kApicLvt0 = 0x350,
  kApicLvt1 = 0x360,
  kApicLvtError = 0x370,
  kApicTimerInitial = 0x380,
  kApicTimerCurrent = 0x390,
  kApicTimerDivide = 0x3e0,
  kApicSelfIpi = 0x3f0,
};

class Lapic {
 public:
  static constexpr u64 kDefaultBase = 0xfee00000;
  static constexpr u64 kWindowBytes = 0x1000;
  static constexpr std::size_t kStateBytes = 1024;
  // IA32_APIC_BASE
  static constexpr u64 kBaseBsp = 1u << 8, kBaseX2apic = 1u << 10, kBaseEnable = 1u << 11, kBaseAddress = ~u64{0xfff};

  // What leaves the APIC.
  class World {
   public:
    virtual ~World() = default;
    virtual void send_ipi(const ApicMessage& message, const Lapic& source) = 0;
    virtual void end_of_interrupt(u8 vector, bool is_level_triggered, const Lapic& source) = 0;
  };

  // Requests that are not vectors, for the owner to act on: bits of signals().
  enum Signal : u32 { kNmi = 1, kSmi = 2, kInit = 4, kStartUp = 8, kWake = 16 };

  Lapic(u32 id, bool is_bsp, World& world, Clock& clock);

  void reset(bool is_init);
  u32 id() const { return id_; }

  // --- Registers. False: reserved register or value (#GP for an MSR, ignored in the page).
  bool read(u32 offset, u32& value);
  bool write(u32 offset, u32 value);
  bool read_msr(u32 msr, u64& value);  // 0x800-0x8ff
  bool write_msr(u32 msr, u64 value);

  // --- IA32_APIC_BASE
  u64 base() const { return base_; }
  void set_base(u64 value);
  bool is_enabled_by_base() const { return base_ & kBaseEnable; }
  bool is_x2apic() const { return (base_ & (kBaseEnable | kBaseX2apic)) == (kBaseEnable | kBaseX2apic); }
  bool is_enabled() const { return is_enabled_by_base() && (reg(kApicSpurious) & 0x100); }
  bool covers(u64 address) const {
    return address >= (base_ & kBaseAddress) && address < (base_ & kBaseAddress) + kWindowBytes;
  }

  // --- Messages in
  // Is this APIC addressed? `source`: the sender of an IPI, nullptr for I/O APIC and MSI. `broadcast_quirk`:
  // destination 0xff of a device message means everyone also in x2APIC mode (off with KVM_CAP_X2APIC_API).
  bool matches(const ApicMessage& message, const Lapic* source, bool broadcast_quirk = true) const;
  // Takes the message; false if the APIC is off or the mode means nothing.
  bool accept(const ApicMessage& message);
  // LINT0/1, performance and error inputs. False if masked.
  bool deliver_local(u32 lvt_offset);
  bool accepts_pic() const;  // does the 8259 reach this CPU?
  u32 processor_priority() const { return reg(kApicPpr); }
  u32 arbitration_count() const { return arbitration_.load(std::memory_order_relaxed); }

  u32 signals() const { return signals_.load(std::memory_order_acquire); }
  u32 take_signals(u32 which) { return signals_.fetch_and(~which, std::memory_order_acq_rel) & which; }
  u8 start_up_vector() const { return start_up_vector_.load(std::memory_order_acquire); }

  // --- To the CPU
  // The vector that may interrupt now (above the processor priority), or -1.
  int pending_vector();
  void acknowledge(u8 vector);
  u8 tpr() const { return static_cast<u8>(reg(kApicTpr)); }
  void set_tpr(u8 value);

  // --- Timer
  s64 next_deadline_ns() const { return deadline_ns_; }  // kNever if stopped
  void expire(s64 now_ns);                               // sends what is due
  u64 tsc_deadline() const;
  void set_tsc_deadline(u64 tsc);
  void set_has_tsc_deadline(bool offered) { timer_mode_mask_ = offered ? 3u << 17 : 1u << 17; }
  void set_bus_cycle_ns(u64 ns) { bus_cycle_ns_ = ns; }
  void set_has_directed_eoi(bool offered);

  // --- Save and restore. `wide_id`: KVM_X2APIC_API_USE_32BIT_IDS.
  std::array<u8, kStateBytes> state(bool wide_id);
  bool set_state(const std::array<u8, kStateBytes>& bytes, bool wide_id);

 private:
  u32 reg(u32 offset) const { return regs_[offset / 4].load(std::memory_order_relaxed); }
  void set_reg(u32 offset, u32 value) { regs_[offset / 4].store(value, std::memory_order_relaxed); }
  u32 xapic_id() const { return reg(kApicId) >> 24; }
  bool is_readable(u32 offset) const;
  int highest(u32 base_offset) const;
  void set_vector(u32 base_offset, u8 vector, bool on);
  bool vector_is_set(u32 base_offset, u8 vector) const;
  void update_ppr();
  void end_of_interrupt();
  void send(u32 icr_low, u32 destination);
  void write_spurious(u32 value);
  bool write_lvt(u32 offset, u32 value);
  bool write_icr(u64 value);
  void update_version();

  u32 timer_mode() const { return reg(kApicLvtTimer) & timer_mode_mask_; }
  bool is_periodic() const { return timer_mode() == 1u << 17; }
  bool is_tsc_deadline() const { return timer_mode() == 2u << 17; }
  u64 divide_count() const;
  s64 count_to_ns(u32 count) const;
  u32 current_count() const;
  void timer_mode_changed();
  void start_timer(std::optional<u32> remaining = {});
  void start_tsc_deadline();
  void stop_timer();

  alignas(64) std::array<std::atomic<u32>, kStateBytes / 4> regs_{};
  std::atomic<u32> signals_{0};
  std::atomic<u8> start_up_vector_{0};
  std::atomic<u32> arbitration_{0};
  u32 id_;
  bool is_bsp_;
  bool has_directed_eoi_ = false;
  std::atomic<u64> base_{0};
  u32 timer_mode_mask_ = 1u << 17;
  u32 last_timer_mode_ = 0;
  u64 bus_cycle_ns_ = 1;
  s64 period_ns_ = 0;
  s64 deadline_ns_ = kNever;
  u64 tsc_deadline_ = 0;
  World& world_;
  Clock& clock_;
};

}  // namespace mock::devices
