#include "mock/devices/pit.hpp"

#include <gtest/gtest.h>

#include "mock/devices/fake_clock.hpp"

namespace mock::devices {
namespace {

struct PitTest : testing::Test {
  void program(unsigned channel, u8 mode, u16 count) {
    pit.write(0x43, static_cast<u8>(channel << 6 | 0x30 | mode << 1));
    pit.write(static_cast<u16>(0x40 + channel), static_cast<u8>(count));
    pit.write(static_cast<u16>(0x40 + channel), static_cast<u8>(count >> 8));
  }
  u16 latched(unsigned channel) {
    pit.write(0x43, static_cast<u8>(channel << 6));
    const u16 port = static_cast<u16>(0x40 + channel);
    const u8 low = pit.read(port);
    return static_cast<u16>(low | pit.read(port) << 8);
  }
  static s64 ticks_to_ns(u64 ticks) { return static_cast<s64>(ticks * 1'000'000'000 / Pit::kFrequencyHz) + 1; }

  FakeClock clock;
  Pit pit{clock};
};

TEST_F(PitTest, comes_up_unprogrammed_with_the_largest_count) {
  EXPECT_EQ(pit.state().channels[0].mode, 0xff);
  EXPECT_EQ(pit.state().channels[0].count, 0x10000u);
  EXPECT_EQ(pit.state().channels[2].gate, 0);
  EXPECT_EQ(pit.next_deadline_ns(), kNever);
}

TEST_F(PitTest, a_one_shot_pulses_once) {
  program(0, 0, 1193);
  EXPECT_NEAR(static_cast<double>(pit.next_deadline_ns() - clock.ns), 1e6, 1e3);
  clock.ns += 5'000'000;
  EXPECT_EQ(pit.take_due_pulses(clock.ns), 1u);
  EXPECT_EQ(pit.take_due_pulses(clock.ns + 5'000'000), 0u);
}

TEST_F(PitTest, a_rate_generator_pulses_on_and_on) {
  program(0, 2, 1193);
  EXPECT_EQ(pit.take_due_pulses(clock.ns), 0u);
  EXPECT_EQ(pit.take_due_pulses(clock.ns + 10'100'000), 10u);
  EXPECT_EQ(pit.take_due_pulses(clock.ns + 11'100'000), 1u);
}

TEST_F(PitTest, periods_below_the_limit_are_stretched) {
  program(0, 2, 2);
  pit.take_due_pulses(clock.ns + 2'000);
  const s64 first = pit.next_deadline_ns();
  pit.take_due_pulses(first);
  EXPECT_EQ(pit.next_deadline_ns() - first, Pit::kShortestPeriodNs);
}

TEST_F(PitTest, a_latched_count_stays_while_time_goes_on) {
  program(2, 0, 0x1000);
  clock.ns += ticks_to_ns(0x100);
  pit.write(0x43, 2 << 6);
  clock.ns += ticks_to_ns(0x100);
  const u8 low = pit.read(0x42);
  EXPECT_EQ(low | pit.read(0x42) << 8, 0x0f00);
  EXPECT_EQ(latched(2), 0x0e00);
}

TEST_F(PitTest, mode_3_counts_by_two) {
  program(2, 3, 0x1000);
  clock.ns += ticks_to_ns(0x10);
  EXPECT_EQ(latched(2), 0x0fe0);
}

TEST_F(PitTest, read_back_gives_status_then_count) {
  program(2, 3, 0x1000);
  pit.write(0x43, 0xc0 | 2u << 2);  // count and status of channel 2
  EXPECT_EQ(pit.read(0x42), 0x80 | 3 << 4 | 3 << 1);
  EXPECT_EQ(pit.read(0x42), 0x00);
  EXPECT_EQ(pit.read(0x42), 0x10);
}

TEST_F(PitTest, modes_6_and_7_are_2_and_3) {
  pit.write(0x43, 0x3c);
  EXPECT_EQ(pit.state().channels[0].mode, 2);
}

TEST_F(PitTest, the_speaker_port_shows_gate_data_and_output_of_channel_2) {
  program(2, 0, 10);
  pit.write_speaker(3);
  clock.ns += ticks_to_ns(11);
  EXPECT_EQ(pit.read_speaker() & 0x23, 0x23);
  pit.write_speaker(0);
  EXPECT_EQ(pit.read_speaker() & 0x03, 0);
}

TEST_F(PitTest, restored_state_starts_channel_0_again) {
  program(0, 2, 1193);
  const Pit::State saved = pit.state();
  Pit other(clock);
  other.set_state(saved);
  EXPECT_NEAR(static_cast<double>(other.next_deadline_ns() - clock.ns), 1e6, 1e3);
  other.set_state(saved, false);
  EXPECT_EQ(other.next_deadline_ns(), kNever);
}

TEST_F(PitTest, any_restored_state_can_be_read) {
  Pit::State state = pit.state();
  for (PitChannel& c : state.channels) c = {.count = 0, .count_latched = 9, .read_state = 7, .mode = 9};
  pit.set_state(state);
  for (u16 port : {0x40, 0x41, 0x42, 0x43}) pit.read(port);
  EXPECT_EQ(pit.next_deadline_ns(), kNever);
}

}  // namespace
}  // namespace mock::devices
