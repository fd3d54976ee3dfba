#include "mock/devices/pit.hpp"

#include <algorithm>

namespace mock::devices {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u8 kModeNone = 0xff;

// Values of the access fields.
enum AccessMode : u8 { kLow = 1, kHigh = 2, kLowThenHigh = 3, kHighOfWord = 4 };

}  // namespace

void Pit::reset() {
  state_ = {};
  deadline_ns_ = kNever;
  period_ns_ = 0;
  for (unsigned channel = 0; channel < 3; ++channel) {
    state_.channels[channel].mode = kModeNone;
    state_.channels[channel].gate = channel != 2;
    load_count(channel, 0);
  }
}

s64 Pit::elapsed_ns(unsigned channel) const {
  if (channel != 0) return clock_.now_ns() - state_.channels[channel].count_load_time;
  if (period_ns_ == 0 || deadline_ns_ == kNever) return 0;
  return period_ns_ - (deadline_ns_ - clock_.now_ns());
}

u64 Pit::elapsed_ticks(unsigned channel) const {
  return mul_div(static_cast<u64>(std::max<s64>(elapsed_ns(channel), 0)), kFrequencyHz, kNsPerSecond);
}

u16 Pit::current_count(unsigned channel) const {
  const PitChannel& c = state_.channels[channel];
  const u64 ticks = elapsed_ticks(channel);
  switch (c.mode) {
    case 0:
    case 1:
    case 4:
    case 5:  // counts on through zero
      return static_cast<u16>(c.count - ticks);
    case 3:  // counts by two
      return static_cast<u16>(c.count - (2 * ticks) % c.count);
    default:
      return static_cast<u16>(c.count - ticks % c.count);
  }
}

bool Pit::output(unsigned channel) const {
  const PitChannel& c = state_.channels[channel];
  const u64 ticks = elapsed_ticks(channel);
  switch (c.mode) {
    case 1:
      return ticks < c.count;
    case 2:
      return ticks % c.count == 0 && ticks != 0;
    case 3:
      return ticks % c.count < (c.count + 1) / 2;
    case 4:
    case 5:
      return ticks == c.count;
    default:
      return ticks >= c.count;
  }
}

void Pit::load_count(unsigned channel, u32 count) {
  PitChannel& c = state_.channels[channel];
  c.count = count == 0 ? 0x10000 : count;
  if (channel != 0) {
    c.count_load_time = clock_.now_ns();
    return;
  }
  switch (c.mode) {
    case 0:
    case 1:
    case 4:
      start_timer(c.count, false);
      break;
    case 2:
    case 3:
      start_timer(c.count, true);
      break;
    default:
      deadline_ns_ = kNever;
      break;
  }
}

void Pit::start_timer(u32 count, bool periodic) {
  if (state_.flags & kHpetLegacy) return;
  period_ns_ = static_cast<s64>(mul_div(count, kNsPerSecond, kFrequencyHz));
  is_periodic_ = periodic;
  deadline_ns_ = clock_.now_ns() + period_ns_;
  if (periodic) period_ns_ = std::max(period_ns_, kShortestPeriodNs);
}

u64 Pit::take_due_pulses(s64 now_ns) {
  if (now_ns < deadline_ns_) return 0;
  if (!is_periodic_) {
    deadline_ns_ = kNever;
    return 1;
  }
  const s64 pulses = (now_ns - deadline_ns_) / period_ns_ + 1;
  deadline_ns_ += pulses * period_ns_;
  return static_cast<u64>(pulses);
}

void Pit::latch_count(unsigned channel) {
  PitChannel& c = state_.channels[channel];
  if (c.count_latched) return;
  c.latched_count = current_count(channel);
  c.count_latched = c.rw_mode;
}

void Pit::latch_status(unsigned channel) {
  PitChannel& c = state_.channels[channel];
  if (c.status_latched) return;
  c.status = static_cast<u8>(output(channel) << 7 | c.rw_mode << 4 | c.mode << 1 | c.bcd);
  c.status_latched = 1;
}

void Pit::read_back(u8 value) {
  for (unsigned channel = 0; channel < 3; ++channel) {
    if (!(value & (2u << channel))) continue;
    if (!(value & 0x20)) latch_count(channel);
    if (!(value & 0x10)) latch_status(channel);
  }
}

void Pit::write_control(u8 value) {
  const unsigned channel = value >> 6;
  if (channel == 3) return read_back(value);
  const u8 access = (value >> 4) & 3;
  if (access == 0) return latch_count(channel);
  PitChannel& c = state_.channels[channel];
  c.rw_mode = c.read_state = c.write_state = access;
  c.mode = (value >> 1) & 7;
  if (c.mode > 5) c.mode -= 4;  // 6 and 7 are 2 and 3
  c.bcd = value & 1;
}

void Pit::write(u16 port, u8 value) {
  const unsigned channel = port & 3;
  if (channel == 3) return write_control(value);
  PitChannel& c = state_.channels[channel];
  switch (c.write_state) {
    case kHigh:
      load_count(channel, static_cast<u32>(value) << 8);
      break;
    case kLowThenHigh:
      c.write_latch = value;
      c.write_state = kHighOfWord;
      break;
    case kHighOfWord:
      load_count(channel, c.write_latch | static_cast<u32>(value) << 8);
      c.write_state = kLowThenHigh;
      break;
    default:
      load_count(channel, value);
      break;
  }
}

u8 Pit::read(u16 port) {
  const unsigned channel = port & 3;
  if (channel == 3) return 0;
  PitChannel& c = state_.channels[channel];
  if (c.status_latched) {
    c.status_latched = 0;
    return c.status;
  }
  if (c.count_latched) {
    const bool high = c.count_latched == kHigh;
    c.count_latched = c.count_latched == kLowThenHigh ? static_cast<u8>(kHigh) : 0;
    return static_cast<u8>(high ? c.latched_count >> 8 : c.latched_count);
  }
  const u16 count = current_count(channel);
  const bool high = c.read_state == kHigh || c.read_state == kHighOfWord;
  if (c.read_state == kLowThenHigh) {
    c.read_state = kHighOfWord;
  } else if (c.read_state == kHighOfWord) {
    c.read_state = kLowThenHigh;
  }
  return static_cast<u8>(high ? count >> 8 : count);
}

// Bit 4 is the memory refresh clock: it toggles about every 15 us (2^14 ns here, as in KVM).
u8 Pit::read_speaker() {
  const u8 refresh = (clock_.now_ns() >> 14) & 1;
  const u8 data_on = (state_.flags & kSpeakerDataOn) != 0;
  return static_cast<u8>(output(2) << 5 | refresh << 4 | data_on << 1 | state_.channels[2].gate);
}

void Pit::write_speaker(u8 value) {
  state_.flags = value & 2 ? state_.flags | kSpeakerDataOn : state_.flags & ~kSpeakerDataOn;
  PitChannel& c = state_.channels[2];
  const u8 gate = value & 1;
  const bool restarts_on_rising_gate = c.mode == 1 || c.mode == 2 || c.mode == 3 || c.mode == 5;
  if (gate && !c.gate && restarts_on_rising_gate) c.count_load_time = clock_.now_ns();
  c.gate = gate;
}

void Pit::set_state(const State& state, bool start) {
  state_ = state;
  // A mode that does not exist must not pick behaviour by accident; a zero count means the largest.
  for (PitChannel& c : state_.channels) {
    if (c.count == 0) c.count = 0x10000;
  }
  deadline_ns_ = kNever;
  if (start) load_count(0, state_.channels[0].count);
}

}  // namespace mock::devices
