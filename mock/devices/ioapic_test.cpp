#include "mock/devices/ioapic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mock::devices {
namespace {

struct FakeBus : IoApic::Bus {
  int deliver(const ApicMessage& message) override {
    messages.push_back(message);
    return reached;
  }
  void ioapic_acknowledged(unsigned pin) override { acknowledged.push_back(pin); }
  std::vector<ApicMessage> messages;
  std::vector<unsigned> acknowledged;
  int reached = 1;
};

struct IoApicTest : testing::Test {
  void write_entry(unsigned pin, u64 entry) {
    write_register(0x10 + 2 * pin + 1, static_cast<u32>(entry >> 32));
    write_register(0x10 + 2 * pin, static_cast<u32>(entry));
  }
  void write_register(u32 index, u32 value) {
    ioapic.write(IoApic::kDefaultBase, index);
    ioapic.write(IoApic::kDefaultBase + 0x10, value);
  }
  u32 read_register(u32 index) {
    ioapic.write(IoApic::kDefaultBase, index);
    return ioapic.read(IoApic::kDefaultBase + 0x10);
  }
  FakeBus bus;
  IoApic ioapic{bus};
};

constexpr u64 kToCpu3 = u64{3} << 56;

TEST_F(IoApicTest, comes_up_masked_with_version_0x11_and_24_pins) {
  EXPECT_EQ(read_register(1), 0x00170011u);
  EXPECT_EQ(read_register(0x10), IoApic::kMasked);
  EXPECT_EQ(ioapic.set_line(4, true), -1);
}

TEST_F(IoApicTest, an_edge_sends_vector_and_destination_once) {
  write_entry(4, kToCpu3 | 0x41);
  EXPECT_EQ(ioapic.set_line(4, true), 1);
  EXPECT_EQ(ioapic.set_line(4, true), 0);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_EQ(bus.messages[0].vector, 0x41);
  EXPECT_EQ(bus.messages[0].destination, 3u);
  EXPECT_FALSE(bus.messages[0].is_level_triggered);
}

TEST_F(IoApicTest, a_level_line_sends_again_after_eoi_only) {
  write_entry(9, IoApic::kLevel | 0x51);
  ioapic.set_line(9, true);
  EXPECT_EQ(ioapic.set_line(9, true), -1);  // remote IRR
  EXPECT_NE(ioapic.state().redirtbl[9] & IoApic::kRemoteIrr, 0u);
  ioapic.end_of_interrupt(0x51, true);
  EXPECT_EQ(bus.messages.size(), 2u);
  ioapic.set_line(9, false);
  ioapic.end_of_interrupt(0x51, true);
  EXPECT_EQ(bus.messages.size(), 2u);
  EXPECT_EQ(ioapic.state().redirtbl[9] & IoApic::kRemoteIrr, 0u);
  EXPECT_THAT(bus.acknowledged, testing::ElementsAre(9, 9));
}

TEST_F(IoApicTest, unmasking_a_waiting_level_line_sends_it) {
  write_entry(9, IoApic::kMasked | IoApic::kLevel | 0x51);
  ioapic.set_line(9, true);
  EXPECT_TRUE(bus.messages.empty());
  write_entry(9, IoApic::kLevel | 0x51);
  EXPECT_EQ(bus.messages.size(), 1u);
}

TEST_F(IoApicTest, remote_irr_and_status_can_not_be_written) {
  write_entry(9, IoApic::kLevel | IoApic::kRemoteIrr | IoApic::kDeliveryStatus | IoApic::kMasked | 0x51);
  EXPECT_EQ(ioapic.state().redirtbl[9] & (IoApic::kRemoteIrr | IoApic::kDeliveryStatus), 0u);
}

TEST_F(IoApicTest, making_an_entry_edge_triggered_clears_remote_irr) {
  write_entry(9, IoApic::kLevel | 0x51);
  ioapic.set_line(9, true);
  write_entry(9, IoApic::kMasked | 0x51);
  EXPECT_EQ(ioapic.state().redirtbl[9] & IoApic::kRemoteIrr, 0u);
}

TEST_F(IoApicTest, restored_requests_are_delivered) {
  IoApic::State state = ioapic.state();
  state.redirtbl[6] = 0x61;
  state.irr = 1u << 6;
  ioapic.set_state(state);
  ASSERT_EQ(bus.messages.size(), 1u);
  EXPECT_EQ(ioapic.state().irr, 1u << 6);
}

TEST_F(IoApicTest, id_has_four_bits) {
  write_register(0, 0xff000000);
  EXPECT_EQ(read_register(0), 0x0f000000u);
  EXPECT_EQ(read_register(2), 0x0f000000u);
}

}  // namespace
}  // namespace mock::devices
