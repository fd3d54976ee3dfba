#include "mock/devices/lapic.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "mock/devices/fake_clock.hpp"

namespace mock::devices {
namespace {

struct FakeWorld : Lapic::World {
  void send_ipi(const ApicMessage& message, const Lapic&) override { ipis.push_back(message); }
  void end_of_interrupt(u8 vector, bool is_level, const Lapic&) override { ends.push_back({vector, is_level}); }
  struct End {
    u8 vector;
    bool is_level;
  };
  std::vector<ApicMessage> ipis;
  std::vector<End> ends;
};

struct LapicTest : testing::Test {
  void enable() { lapic.write(kApicSpurious, 0x1ff); }
  void enable_x2apic() {
    lapic.set_base(lapic.base() | Lapic::kBaseX2apic);
    enable();
  }
  u32 read(u32 offset) {
    u32 value = 0xdeadbeef;
    EXPECT_TRUE(lapic.read(offset, value)) << offset;
    return value;
  }
  FakeWorld world;
  FakeClock clock;
  Lapic lapic{2, false, world, clock};
};

TEST_F(LapicTest, comes_up_disabled_by_software_with_masked_lvts) {
  EXPECT_EQ(read(kApicId), 2u << 24);
  EXPECT_EQ(read(kApicVersion), 0x50014u);
  EXPECT_EQ(read(kApicSpurious), 0xffu);
  EXPECT_EQ(read(kApicLvt0), 1u << 16);
  EXPECT_EQ(read(kApicDfr), 0xffffffffu);
  EXPECT_EQ(lapic.base(), Lapic::kDefaultBase | Lapic::kBaseEnable);
  EXPECT_FALSE(lapic.accept({.vector = 0x40}));
}

TEST_F(LapicTest, the_bsp_lets_the_8259_through) {
  Lapic bsp(0, true, world, clock);
  EXPECT_TRUE(bsp.accepts_pic());
  EXPECT_FALSE(lapic.accepts_pic());
  EXPECT_EQ(bsp.base() & Lapic::kBaseBsp, Lapic::kBaseBsp);
}

TEST_F(LapicTest, an_accepted_vector_is_pending_then_in_service_then_ended) {
  enable();
  EXPECT_TRUE(lapic.accept({.vector = 0x41}));
  EXPECT_EQ(lapic.pending_vector(), 0x41);
  lapic.acknowledge(0x41);
  EXPECT_EQ(lapic.pending_vector(), -1);
  EXPECT_EQ(read(kApicIsr + 0x20), 1u << 1);
  EXPECT_EQ(read(kApicPpr), 0x40u);
  lapic.write(kApicEoi, 0);
  ASSERT_EQ(world.ends.size(), 1u);
  EXPECT_EQ(world.ends[0].vector, 0x41);
  EXPECT_FALSE(world.ends[0].is_level);
  EXPECT_EQ(read(kApicIsr + 0x20), 0u);
}

TEST_F(LapicTest, only_a_higher_class_interrupts_a_handler) {
  enable();
  lapic.accept({.vector = 0x45});
  lapic.acknowledge(0x45);
  lapic.accept({.vector = 0x4f});
  EXPECT_EQ(lapic.pending_vector(), -1);
  lapic.accept({.vector = 0x50});
  EXPECT_EQ(lapic.pending_vector(), 0x50);
}

TEST_F(LapicTest, the_task_priority_holds_back_its_class_and_below) {
  enable();
  lapic.accept({.vector = 0x5f});
  lapic.set_tpr(0x50);
  EXPECT_EQ(lapic.pending_vector(), -1);
  lapic.set_tpr(0x40);
  EXPECT_EQ(lapic.pending_vector(), 0x5f);
}

TEST_F(LapicTest, a_level_triggered_vector_ends_as_such) {
  enable();
  lapic.accept({.vector = 0x61, .is_level_triggered = true});
  lapic.acknowledge(0x61);
  lapic.write(kApicEoi, 0);
  EXPECT_TRUE(world.ends.at(0).is_level);
}

TEST_F(LapicTest, physical_logical_and_broadcast_destinations) {
  EXPECT_TRUE(lapic.matches({.destination = 2}, nullptr));
  EXPECT_FALSE(lapic.matches({.destination = 3}, nullptr));
  EXPECT_TRUE(lapic.matches({.destination = 0xff}, nullptr));
  lapic.write(kApicLdr, 0x04000000);
  EXPECT_TRUE(lapic.matches({.destination = 0x0c, .is_logical = true}, nullptr));
  EXPECT_FALSE(lapic.matches({.destination = 0x08, .is_logical = true}, nullptr));
  lapic.write(kApicDfr, 0x0fffffff);
  lapic.write(kApicLdr, 0x32000000);
  EXPECT_TRUE(lapic.matches({.destination = 0x32, .is_logical = true}, nullptr));
  EXPECT_FALSE(lapic.matches({.destination = 0x22, .is_logical = true}, nullptr));
}

TEST_F(LapicTest, shorthands) {
  Lapic other(3, false, world, clock);
  EXPECT_TRUE(lapic.matches({.shorthand = Shorthand::self}, &lapic));
  EXPECT_FALSE(lapic.matches({.shorthand = Shorthand::self}, &other));
  EXPECT_FALSE(lapic.matches({.shorthand = Shorthand::all_but_self}, &lapic));
  EXPECT_TRUE(lapic.matches({.shorthand = Shorthand::all_but_self}, &other));
}

TEST_F(LapicTest, x2apic_ids_are_fixed_and_device_broadcast_is_a_quirk) {
  enable_x2apic();
  EXPECT_EQ(read(kApicId), 2u);
  EXPECT_EQ(read(kApicLdr), 1u << 2);
  EXPECT_FALSE(lapic.write(kApicLdr, 0));
  EXPECT_TRUE(lapic.matches({.destination = 0xff}, nullptr, true));
  EXPECT_FALSE(lapic.matches({.destination = 0xff}, nullptr, false));
  EXPECT_TRUE(lapic.matches({.destination = 0xffffffff}, nullptr, false));
}

TEST_F(LapicTest, icr_sends_with_the_busy_bit_clear) {
  lapic.write(kApicIcr2, 5u << 24);
  lapic.write(kApicIcr, 0x4000 | 1u << 12 | 6u << 8 | 0x9a);  // start-up
  ASSERT_EQ(world.ipis.size(), 1u);
  EXPECT_EQ(world.ipis[0].mode, DeliveryMode::start_up);
  EXPECT_EQ(world.ipis[0].destination, 5u);
  EXPECT_EQ(world.ipis[0].vector, 0x9a);
  EXPECT_EQ(read(kApicIcr) & (1u << 12), 0u);
}

TEST_F(LapicTest, x2apic_msrs_refuse_reserved_bits_and_xapic_mode) {
  u64 value;
  EXPECT_FALSE(lapic.read_msr(0x802, value));
  enable_x2apic();
  EXPECT_TRUE(lapic.read_msr(0x802, value));
  EXPECT_EQ(value, 2u);
  EXPECT_FALSE(lapic.write_msr(0x808, u64{1} << 32));
  EXPECT_FALSE(lapic.write_msr(0x80b, u64{1} << 40));
  EXPECT_TRUE(lapic.write_msr(0x830, u64{7} << 32 | 0x41));
  EXPECT_EQ(world.ipis.at(0).destination, 7u);
  EXPECT_TRUE(lapic.write_msr(0x83f, 0x33));
  EXPECT_EQ(world.ipis.at(1).shorthand, Shorthand::self);
  EXPECT_FALSE(lapic.write_msr(0x83f, 0x133));
}

TEST_F(LapicTest, nmi_init_and_start_up_become_signals) {
  EXPECT_TRUE(lapic.accept({.mode = DeliveryMode::start_up, .vector = 0x12}));
  EXPECT_EQ(lapic.take_signals(~0u), u32{Lapic::kStartUp});
  lapic.accept({.mode = DeliveryMode::init, .vector = 0});
  lapic.accept({.mode = DeliveryMode::nmi});
  EXPECT_EQ(lapic.signals(), u32{Lapic::kInit | Lapic::kNmi});
  EXPECT_EQ(lapic.start_up_vector(), 0x12);
}

TEST_F(LapicTest, a_one_shot_timer_fires_once) {
  enable();
  lapic.write(kApicTimerDivide, 0xb);
  lapic.write(kApicLvtTimer, 0x50);
  lapic.write(kApicTimerInitial, 1'000'000);
  EXPECT_EQ(lapic.next_deadline_ns(), clock.ns + 1'000'000);
  clock.ns += 400'000;
  EXPECT_EQ(read(kApicTimerCurrent), 600'000u);
  clock.ns += 600'000;
  lapic.expire(clock.ns);
  EXPECT_EQ(lapic.pending_vector(), 0x50);
  EXPECT_EQ(lapic.next_deadline_ns(), kNever);
  EXPECT_EQ(read(kApicTimerCurrent), 0u);
}

TEST_F(LapicTest, a_periodic_timer_goes_on) {
  enable();
  lapic.write(kApicTimerDivide, 0xb);
  lapic.write(kApicLvtTimer, 1u << 17 | 0x50);
  lapic.write(kApicTimerInitial, 1'000'000);
  const s64 first = lapic.next_deadline_ns();
  lapic.expire(first + 2'500'000);
  EXPECT_EQ(lapic.next_deadline_ns(), first + 3'000'000);
}

TEST_F(LapicTest, the_divisor_stretches_the_count) {
  enable();
  lapic.write(kApicLvtTimer, 0x50);
  lapic.write(kApicTimerDivide, 0x3);  // by 16
  lapic.write(kApicTimerInitial, 1000);
  EXPECT_EQ(lapic.next_deadline_ns(), clock.ns + 16'000);
}

TEST_F(LapicTest, a_tsc_deadline_needs_its_mode) {
  enable();
  lapic.set_tsc_deadline(clock.tsc() + 2000);
  EXPECT_EQ(lapic.next_deadline_ns(), kNever);
  lapic.set_has_tsc_deadline(true);
  lapic.write(kApicLvtTimer, 2u << 17 | 0x50);
  lapic.set_tsc_deadline(clock.tsc() + 2000);
  EXPECT_EQ(lapic.next_deadline_ns(), clock.ns + 1000);
  EXPECT_EQ(lapic.tsc_deadline(), clock.tsc() + 2000);
  lapic.expire(clock.ns + 1000);
  EXPECT_EQ(lapic.pending_vector(), 0x50);
  EXPECT_EQ(lapic.tsc_deadline(), 0u);
}

TEST_F(LapicTest, turning_the_apic_off_masks_the_lvts) {
  enable();
  lapic.write(kApicLvt1, 0x400);
  EXPECT_EQ(read(kApicLvt1), 0x400u);
  lapic.write(kApicSpurious, 0xff);
  EXPECT_EQ(read(kApicLvt1), 0x400u | 1u << 16);
}

TEST_F(LapicTest, saved_state_restores_vectors_and_the_running_timer) {
  enable();
  lapic.write(kApicTimerDivide, 0xb);
  lapic.write(kApicLvtTimer, 0x50);
  lapic.write(kApicTimerInitial, 1'000'000);
  clock.ns += 250'000;
  lapic.accept({.vector = 0x71});
  Lapic other(2, false, world, clock);
  ASSERT_TRUE(other.set_state(lapic.state(false), false));
  EXPECT_EQ(other.pending_vector(), 0x71);
  EXPECT_EQ(other.next_deadline_ns(), clock.ns + 750'000);
}

TEST_F(LapicTest, wide_ids_must_match_on_restore) {
  enable_x2apic();
  auto bytes = lapic.state(true);
  EXPECT_EQ(bytes[kApicId], 2);
  bytes[kApicId] = 9;
  EXPECT_FALSE(lapic.set_state(bytes, true));
  EXPECT_TRUE(lapic.set_state(bytes, false));
}

}  // namespace
}  // namespace mock::devices
