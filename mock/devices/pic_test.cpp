#include "mock/devices/pic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace mock::devices {
namespace {

using testing::ElementsAre;

struct RecordingListener : Pic::Listener {
  void pic_acknowledged(unsigned line) override { lines.push_back(line); }
  std::vector<unsigned> lines;
};

// As a PC BIOS does: master at 0x08 or `base`, slave eight above, ICW4 = 8086 mode.
void program(Pic& pic, u8 base = 0x30, u8 icw4 = 0x01) {
  for (u16 port : {0x20, 0xa0}) {
    pic.write(port, 0x11);
    pic.write(port + 1, port == 0x20 ? base : base + 8);
    pic.write(port + 1, port == 0x20 ? 0x04 : 0x02);
    pic.write(port + 1, icw4);
  }
}

void pulse(Pic& pic, unsigned line) {
  pic.set_line(line, true);
  pic.set_line(line, false);
}

TEST(Pic, a_rising_edge_requests_and_acknowledge_gives_the_vector) {
  Pic pic;
  program(pic);
  EXPECT_EQ(pic.set_line(3, true), Pic::Delivery::delivered);
  EXPECT_TRUE(pic.output());
  EXPECT_EQ(pic.acknowledge(), 0x33);
  EXPECT_FALSE(pic.output());
  EXPECT_EQ(pic.chip(0).isr, 1 << 3);
  EXPECT_EQ(pic.chip(0).irr, 0);
}

TEST(Pic, a_second_edge_before_service_is_coalesced) {
  Pic pic;
  program(pic);
  pulse(pic, 3);
  EXPECT_EQ(pic.set_line(3, true), Pic::Delivery::coalesced);
}

TEST(Pic, a_masked_line_is_reported_and_kept_until_unmasked) {
  Pic pic;
  program(pic);
  pic.write(0x21, 1 << 5);
  EXPECT_EQ(pic.set_line(5, true), Pic::Delivery::masked);
  EXPECT_FALSE(pic.output());
  pic.write(0x21, 0);
  EXPECT_TRUE(pic.output());
}

TEST(Pic, lower_priority_waits_for_the_end_of_service) {
  Pic pic;
  program(pic);
  pulse(pic, 1);
  pulse(pic, 4);
  EXPECT_EQ(pic.acknowledge(), 0x31);
  EXPECT_FALSE(pic.output());
  pic.write(0x20, 0x20);  // EOI
  EXPECT_TRUE(pic.output());
  EXPECT_EQ(pic.acknowledge(), 0x34);
}

TEST(Pic, a_slave_line_comes_through_the_cascade) {
  Pic pic;
  program(pic);
  pulse(pic, 12);
  EXPECT_EQ(pic.acknowledge(), 0x3c);
  EXPECT_EQ(pic.chip(0).isr, 1 << 2);
  EXPECT_EQ(pic.chip(1).isr, 1 << 4);
}

TEST(Pic, acknowledge_without_a_request_is_spurious_line_7) {
  Pic pic;
  program(pic);
  EXPECT_EQ(pic.acknowledge(), 0x37);
  EXPECT_EQ(pic.chip(0).isr, 0);
}

TEST(Pic, a_level_line_requests_again_after_eoi_while_it_is_high) {
  Pic pic;
  program(pic);
  pic.write(0x4d0, 0xff);
  EXPECT_EQ(pic.read(0x4d0), 0xf8);  // lines 0-2 stay edge-triggered
  pic.set_line(5, true);
  pic.acknowledge();
  pic.write(0x20, 0x20);
  EXPECT_TRUE(pic.output());
  pic.set_line(5, false);
  EXPECT_FALSE(pic.output());
}

TEST(Pic, automatic_eoi_leaves_nothing_in_service_and_tells_the_listener) {
  RecordingListener listener;
  Pic pic(&listener);
  program(pic, 0x30, 0x03);
  pulse(pic, 6);
  pic.acknowledge();
  EXPECT_EQ(pic.chip(0).isr, 0);
  EXPECT_THAT(listener.lines, ElementsAre(6));
}

TEST(Pic, rotation_gives_the_served_line_the_lowest_priority) {
  Pic pic;
  program(pic);
  pulse(pic, 0);
  pic.acknowledge();
  pic.write(0x20, 0xa0);  // rotate on EOI
  EXPECT_EQ(pic.chip(0).priority_add, 1);
  pulse(pic, 0);
  pulse(pic, 7);
  EXPECT_EQ(pic.acknowledge(), 0x37);
}

TEST(Pic, the_command_port_reads_irr_or_isr_as_selected) {
  Pic pic;
  program(pic);
  pulse(pic, 3);
  EXPECT_EQ(pic.read(0x20), 1 << 3);
  pic.acknowledge();
  pic.write(0x20, 0x0b);
  EXPECT_EQ(pic.read(0x20), 1 << 3);
  pic.write(0x20, 0x0a);
  EXPECT_EQ(pic.read(0x20), 0);
}

TEST(Pic, a_poll_returns_the_line_and_serves_it) {
  Pic pic;
  program(pic);
  pulse(pic, 4);
  pic.write(0x20, 0x0c);
  EXPECT_EQ(pic.read(0x20), 0x84);
  EXPECT_FALSE(pic.output());
}

TEST(Pic, saved_state_restores_requests) {
  Pic first;
  program(first);
  pulse(first, 3);
  Pic second;
  second.set_chip(0, first.chip(0));
  second.set_chip(1, first.chip(1));
  EXPECT_TRUE(second.output());
  EXPECT_EQ(second.acknowledge(), 0x33);
}

TEST(Pic, covers_its_ports_only) {
  for (u16 port : {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1}) EXPECT_TRUE(Pic::covers(port)) << port;
  for (u16 port : {0x1f, 0x22, 0x9f, 0xa2, 0x4cf, 0x4d2}) EXPECT_FALSE(Pic::covers(port)) << port;
}

}  // namespace
}  // namespace mock::devices
