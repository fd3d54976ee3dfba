// Segment register loads and limits.
#include "mock/cpu/segment.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kData = 0x00cf93000000ffff, kDpl3 = u64{3} << 45, kPresent = u64{1} << 47;

TEST(SegmentLoad, real_mode_keeps_limit_and_rights) {
  RealMode m;
  m.core.s.seg[DS].limit_bytes = 0xffffffff;
  ASSERT_TRUE(load_segment(m.core, DS, 0x1234));
  EXPECT_EQ(m.core.s.seg[DS].base, 0x12340u);
  EXPECT_EQ(m.core.s.seg[DS].limit_bytes, 0xffffffffu);
}

struct LoadCase {
  const char* name;
  SegReg reg;
  u16 selector;
  u64 raw;  // at kFree
  u8 cpl;
  int vector;
  u32 error;
};

TEST(SegmentLoad, protected_mode_checks) {
  constexpr LoadCase kCases[] = {
      {"null_ds", DS, 3, 0, 3, -1, 0},
      {"null_ss", SS, 0, 0, 0, GP, 0},
      {"data", DS, kFree, kData, 0, -1, 0},
      {"beyond_the_table", DS, 0x100, 0, 0, GP, 0x100},
      {"empty_ldt", DS, 0x44, 0, 0, GP, 0x44},
      {"inner_data_from_3", DS, kFree | 3, kData, 3, GP, kFree},
      {"rpl_above_dpl", DS, kFree | 3, kData, 0, GP, kFree},
      {"system", DS, kTssSelector, 0, 0, GP, kTssSelector},
      {"not_present", DS, kFree, kData & ~kPresent, 0, NP, kFree},
      {"conforming_readable_code_from_3", DS, kFree | 3, kData | u64{0xc} << 40, 3, -1, 0},
      {"stack", SS, kFree, kData, 0, -1, 0},
      {"stack_rpl", SS, kFree | 3, kData | kDpl3, 0, GP, kFree},
      {"stack_dpl", SS, kFree, kData | kDpl3, 0, GP, kFree},
      {"read_only_stack", SS, kFree, kData & ~(u64{2} << 40), 0, GP, kFree},
      {"absent_stack", SS, kFree, kData & ~kPresent, 0, SS_, kFree},
  };
  for (const LoadCase& c : kCases) {
    Protected32 m;
    if (c.cpl) m.enter_ring3();
    m.descriptor(kFree, c.raw);
    const u16 before = m.core.s.seg[c.reg].selector;
    const bool done = load_segment(m.core, c.reg, c.selector);
    EXPECT_EQ(done, c.vector < 0) << c.name;
    if (!done) {
      EXPECT_EQ(m.fault(), c.vector) << c.name;
      EXPECT_EQ(m.error(), c.error) << c.name;
    }
    EXPECT_EQ(m.core.s.seg[c.reg].selector, done ? c.selector : before) << c.name;
  }
}

TEST(SegmentLoad, execute_only_code_can_not_be_read) {
  Protected32 m;
  m.descriptor(kFree, 0x00cf99000000ffff);
  EXPECT_FALSE(load_segment(m.core, ES, kFree));
  EXPECT_EQ(m.error(), kFree);
}

TEST(SegmentLoad, descriptor_fields_reach_the_hidden_part) {
  Protected32 m;
  m.descriptor(kFree, 0x8040f2123456abcd);
  ASSERT_TRUE(load_segment(m.core, GS, kFree | 3));
  EXPECT_EQ(m.core.s.seg[GS].base, 0x80123456u);
  EXPECT_EQ(m.core.s.seg[GS].limit_bytes, 0xabcdu);
  EXPECT_EQ(m.core.s.seg[GS].attributes, 0x4f3) << "accessed";
  EXPECT_EQ(m.bus.peek<u64>(kGdt + kFree), 0x8040f3123456abcdu);
}

TEST(SegmentLoad, ldt_selectors_use_the_ldt) {
  Protected32 m;
  m.core.s.ldtr.base = kLdt0;
  m.core.s.ldtr.limit_bytes = 0x0f;
  m.core.s.ldtr.selector = 0x38;
  m.bus.poke<u64>(kLdt0 + 8, 0x00cf93000000ffff);
  EXPECT_TRUE(load_segment(m.core, ES, 0x0c));
  EXPECT_FALSE(load_segment(m.core, ES, 0x14));
  EXPECT_EQ(m.error(), 0x14u);
}

TEST(SegmentLoad, long_mode_takes_a_null_ss_below_ring_3) {
  Long64 m;
  EXPECT_TRUE(load_segment(m.core, SS, 0));
  EXPECT_TRUE(m.core.s.seg[SS].unusable);
  m.enter_ring3();
  EXPECT_FALSE(load_segment(m.core, SS, 3));
  EXPECT_EQ(m.fault(), GP);
}

TEST(SegmentLimit, expand_down_is_the_complement) {
  Segment s{.base = 0, .limit_bytes = 0xfff, .selector = 8, .attributes = 0x493};
  EXPECT_TRUE(is_within_limit(s, 0xffc, 4));
  EXPECT_FALSE(is_within_limit(s, 0xffd, 4));
  s.attributes = 0x497;
  EXPECT_FALSE(is_within_limit(s, 0xfff, 1));
  EXPECT_TRUE(is_within_limit(s, 0x1000, 4));
  EXPECT_FALSE(is_within_limit(s, 0xfffffffe, 4));
  s.attributes = 0x97;
  EXPECT_FALSE(is_within_limit(s, 0xfffe, 4));
}

}  // namespace
}  // namespace mock::cpu
