// The 8254 interval timer at ports 0x40-0x43 and the speaker port 0x61 (Intel 8254 data sheet), with the state that
// KVM_GET_PIT2 shows. As in KVM, BCD counting is stored and not honoured, and channel 0 counts by its timer.
#pragma once

#include <array>

#include "mock/devices/clock.hpp"

namespace mock::devices {

// Field for field what struct kvm_pit_channel_state holds.
struct PitChannel {
  u32 count = 0;  // 1 to 0x10000
  u16 latched_count = 0;
  u8 count_latched = 0;  // what is still to be read of the latched count: an access mode
  u8 status_latched = 0;
  u8 status = 0;
  u8 read_state = 0;   // next byte of an unlatched read
  u8 write_state = 0;  // next byte of a write
  u8 write_latch = 0;
  u8 rw_mode = 0;
  u8 mode = 0;  // 0xff: never programmed
  u8 bcd = 0;
  u8 gate = 0;
  s64 count_load_time = 0;  // ns of Clock
};

class Pit {
 public:
  static constexpr u64 kFrequencyHz = 1193182;
  static constexpr s64 kShortestPeriodNs = 200'000;  // KVM does not let a guest ask for faster interrupts
  static constexpr u32 kHpetLegacy = 1;              // KVM_PIT_FLAGS_HPET_LEGACY: channel 0 does not interrupt
  static constexpr u32 kSpeakerDataOn = 2;           // KVM_PIT_FLAGS_SPEAKER_DATA_ON

  struct State {
    std::array<PitChannel, 3> channels{};
    u32 flags = 0;
  };

  explicit Pit(Clock& clock) : clock_(clock) { reset(); }

  static bool covers(u16 port) { return port >= 0x40 && port <= 0x43; }
  static bool covers_speaker(u16 port) { return port >= 0x61 && port <= 0x64; }
  u8 read(u16 port);
  void write(u16 port, u8 value);
  u8 read_speaker();
  void write_speaker(u8 value);

  // When channel 0 will next pulse interrupt line 0; kNever if it will not.
  s64 next_deadline_ns() const { return deadline_ns_; }
  // How many pulses are due at `now_ns`; moves the deadline past it.
  u64 take_due_pulses(s64 now_ns);

  void reset();
  const State& state() const { return state_; }
  // Loads saved state (KVM_SET_PIT2): channel 0 starts anew with its count. `start_timer` is false when HPET legacy
  // mode has just been turned on.
  void set_state(const State& state, bool start_timer = true);

 private:
  s64 elapsed_ns(unsigned channel) const;
  u64 elapsed_ticks(unsigned channel) const;
  u16 current_count(unsigned channel) const;
  bool output(unsigned channel) const;
  void load_count(unsigned channel, u32 count);
  void start_timer(u32 count, bool periodic);
  void latch_count(unsigned channel);
  void latch_status(unsigned channel);
  void write_control(u8 value);
  void read_back(u8 value);

  State state_;
  Clock& clock_;
  s64 period_ns_ = 0;
  s64 deadline_ns_ = kNever;
  bool is_periodic_ = false;
};

}  // namespace mock::devices
