// Far jumps, calls and returns: checks with their error codes, gates, privilege changes, frames.
#include "mock/cpu/far.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kCode = 0x00cf9b000000ffff;

TEST(FarReal, jump_sets_base_and_offset) {
  RealMode m;
  ASSERT_TRUE(far_jump(m.core, 0x1234, 0x5678, 2));
  EXPECT_EQ(m.core.s.seg[CS].base, 0x12340u);
  EXPECT_EQ(m.core.s.rip, 0x5678u);
}

TEST(FarReal, call_and_return_are_inverse) {
  RealMode m;
  m.core.s.seg[CS].selector = 0x40;
  m.core.s.seg[CS].base = 0x400;
  ASSERT_TRUE(far_call(m.core, 0x1234, 0x5678, 2));
  EXPECT_EQ(m.stack<u16>(0), 0x5000);
  EXPECT_EQ(m.stack<u16>(1), 0x40);
  ASSERT_TRUE(far_return(m.core, 2, 6));
  EXPECT_EQ(m.core.s.rip, 0x5000u);
  EXPECT_EQ(m.core.s.seg[CS].base, 0x400u);
  EXPECT_EQ(m.core.s.gpr[RSP], 0x8006u);
}

TEST(FarReal, iret_takes_flags_from_the_stack) {
  RealMode m;
  m.bus.poke<u16>(0x8000, 0x1111);
  m.bus.poke<u16>(0x8002, 0x2222);
  m.bus.poke<u16>(0x8004, 0xffff);
  ASSERT_TRUE(interrupt_return(m.core, 2));
  EXPECT_EQ(m.core.s.rip, 0x1111u);
  EXPECT_EQ(m.core.s.seg[CS].base, 0x22220u);
  EXPECT_EQ(m.core.rflags(), 0x7fd7u);
}

struct JumpCase {
  const char* name;
  u16 selector;
  u64 raw;  // at kFree
  u8 cpl;
  int vector;  // -1: success
  u32 error;
};

TEST(FarProtected, direct_jump_checks) {
  constexpr JumpCase kCases[] = {
      {"null", 0, 0, 0, GP, 0},
      {"beyond_the_limit", 0x100, 0, 0, GP, 0x100},
      {"same_privilege", kFree, kCode, 0, -1, 0},
      {"rpl_may_not_exceed_cpl", kFree | 3, kCode, 0, GP, kFree},
      {"dpl_3_from_0", kFree, kCode | u64{3} << 45, 0, GP, kFree},
      {"dpl_0_from_3", kFree, kCode, 3, GP, kFree},
      {"conforming_from_3", kFree | 3, kCode | u64{4} << 40, 3, -1, 0},
      {"conforming_with_higher_dpl", kFree, kCode | u64{4} << 40 | u64{3} << 45, 0, GP, kFree},
      {"not_present", kFree, kCode & ~(u64{1} << 47), 0, NP, kFree},
      {"data", kFree, 0x00cf93000000ffff, 0, GP, kFree},
      {"busy_tss", kTssSelector, 0, 0, GP, kTssSelector},
      {"offset_beyond_the_limit", kFree, 0x00409b0000001000, 0, GP, 0},
  };
  for (const JumpCase& c : kCases) {
    Protected32 m;
    if (c.cpl) m.enter_ring3();
    m.descriptor(kFree, c.raw);
    const bool done = far_jump(m.core, c.selector, 0x6000, 4);
    EXPECT_EQ(done, c.vector < 0) << c.name;
    if (done) {
      EXPECT_EQ(m.core.s.rip, 0x6000u) << c.name;
      EXPECT_EQ(m.core.s.seg[CS].selector, (c.selector & ~3) | c.cpl) << c.name;
      EXPECT_EQ(m.core.s.cpl, c.cpl) << c.name;
    } else {
      EXPECT_EQ(m.fault(), c.vector) << c.name;
      EXPECT_EQ(m.error(), c.error) << c.name;
      EXPECT_EQ(m.core.s.rip, 0x5000u) << c.name;
    }
  }
}

TEST(FarProtected, jump_sets_the_accessed_bit) {
  Protected32 m;
  m.descriptor(kFree, kCode & ~(u64{1} << 40));
  ASSERT_TRUE(far_jump(m.core, kFree, 0x6000, 4));
  EXPECT_EQ(m.bus.peek<u64>(kGdt + kFree), kCode);
}

TEST(FarProtected, call_gate_to_an_inner_level_copies_parameters) {
  Protected32 m;
  m.enter_ring3();
  m.descriptor(kFree, pack_gate(kCode0, 0x6000, kCallGate32, 3, 2));
  m.bus.poke<u32>(kStack3, 0x11111111);
  m.bus.poke<u32>(kStack3 + 4, 0x22222222);
  ASSERT_TRUE(far_call(m.core, kFree | 3, 0x12345678, 4));
  EXPECT_EQ(m.core.s.cpl, 0);
  EXPECT_EQ(m.core.s.rip, 0x6000u);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 24);
  const u32 expect[] = {0x5000, kCode3 | 3u, 0x11111111, 0x22222222, kStack3, kData3 | 3u};
  for (unsigned i = 0; i < std::size(expect); ++i) EXPECT_EQ(m.stack<u32>(i), expect[i]) << i;
  ASSERT_TRUE(far_return(m.core, 4, 8));
  EXPECT_EQ(m.core.s.cpl, 3);
  EXPECT_EQ(m.core.s.rip, 0x5000u);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack3 + 8);
  EXPECT_EQ(m.core.s.seg[SS].selector, kData3 | 3);
}

TEST(FarProtected, call_gate_needs_its_dpl_and_presence) {
  Protected32 m;
  m.enter_ring3();
  m.descriptor(kFree, pack_gate(kCode0, 0x6000, kCallGate32, 0));
  EXPECT_FALSE(far_call(m.core, kFree | 3, 0, 4));
  EXPECT_EQ(m.fault(), GP);
  EXPECT_EQ(m.error(), kFree);
  m.descriptor(kFree, pack_gate(kCode0, 0x6000, kCallGate32, 3) & ~(u64{1} << 47));
  EXPECT_FALSE(far_call(m.core, kFree | 3, 0, 4));
  EXPECT_EQ(m.fault(), NP);
}

TEST(FarProtected, a_bad_inner_stack_is_an_invalid_tss) {
  Protected32 m;
  m.enter_ring3();
  m.descriptor(kFree, pack_gate(kCode0, 0x6000, kCallGate32, 3));
  m.bus.poke<u16>(kTss + 8, kData3);
  EXPECT_FALSE(far_call(m.core, kFree | 3, 0, 4));
  EXPECT_EQ(m.fault(), TS);
  EXPECT_EQ(m.error(), kData3);
  EXPECT_EQ(m.core.s.cpl, 3);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack3);
}

struct Frame {
  u32 eip, cs, eflags, esp, ss;
};

void poke_frame(TestMachine& m, const Frame& f) { m.bus.poke(m.core.s.gpr[RSP], f); }

TEST(FarProtected, iret_to_an_outer_level_restores_the_stack_and_drops_inner_segments) {
  Protected32 m;
  poke_frame(m, {0x7000, kCode3 | 3, IF | IOPL | CF, 0x9f00, kData3 | 3});
  ASSERT_TRUE(interrupt_return(m.core, 4));
  EXPECT_EQ(m.core.s.cpl, 3);
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.core.s.gpr[RSP], 0x9f00u);
  EXPECT_EQ(m.core.rflags(), IF | IOPL | CF | 2u);
  EXPECT_TRUE(m.core.s.seg[DS].unusable);
  EXPECT_EQ(m.core.s.seg[DS].selector, 0);
}

TEST(FarProtected, iret_at_ring_3_changes_neither_iopl_nor_if) {
  Protected32 m;
  m.enter_ring3();
  poke_frame(m, {0x7000, kCode3 | 3, IF | IOPL | DF, 0, 0});
  ASSERT_TRUE(interrupt_return(m.core, 4));
  EXPECT_EQ(m.core.rflags(), DF | 2u);
}

TEST(FarProtected, iret_to_an_inner_level_is_gp) {
  Protected32 m;
  m.enter_ring3();
  poke_frame(m, {0x7000, kCode0, 2, 0, 0});
  EXPECT_FALSE(interrupt_return(m.core, 4));
  EXPECT_EQ(m.fault(), GP);
  EXPECT_EQ(m.error(), kCode0);
}

TEST(FarProtected, iret_with_vm_set_enters_virtual_8086_mode) {
  Protected32 m;
  const u32 frame[] = {0x100, 0x2000, VM | IF | 2, 0xfff0, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000};
  m.bus.poke(kStack0, frame);
  ASSERT_TRUE(interrupt_return(m.core, 4));
  EXPECT_TRUE(m.core.is_v86());
  EXPECT_EQ(m.core.s.cpl, 3);
  EXPECT_EQ(m.core.s.seg[CS].base, 0x20000u);
  EXPECT_EQ(m.core.s.seg[SS].base, 0x30000u);
  EXPECT_EQ(m.core.s.seg[ES].base, 0x40000u);
  EXPECT_EQ(m.core.s.seg[GS].base, 0x70000u);
  EXPECT_EQ(m.core.s.seg[DS].attributes, 0xf3);
  EXPECT_EQ(m.core.s.gpr[RSP], 0xfff0u);
}

TEST(FarLong, iretq_always_pops_the_stack) {
  Long64 m;
  const u64 frame[] = {0x7000, kCode0, 2, 0x8800, kData0};
  m.bus.poke(kStack0, frame);
  ASSERT_TRUE(interrupt_return(m.core, 8));
  EXPECT_EQ(m.core.s.gpr[RSP], 0x8800u);
  EXPECT_EQ(m.core.s.rip, 0x7000u);
}

TEST(FarLong, iretq_accepts_a_null_ss_below_ring_3) {
  Long64 m;
  const u64 frame[] = {0x7000, kCode0, 2, 0x8800, 0};
  m.bus.poke(kStack0, frame);
  ASSERT_TRUE(interrupt_return(m.core, 8));
  const u64 to_user[] = {0x7000, kCode3 | 3, 2, 0x8800, 3};
  m.bus.poke(0x8800, to_user);
  EXPECT_FALSE(interrupt_return(m.core, 8));
  EXPECT_EQ(m.fault(), GP);
  EXPECT_EQ(m.error(), 0u);
}

TEST(FarLong, nested_task_flag_makes_iret_fault) {
  Long64 m;
  m.core.set_rflags(NT | kFlagsFixedOne);
  EXPECT_FALSE(interrupt_return(m.core, 8));
  EXPECT_EQ(m.fault(), GP);
}

TEST(FarLong, jump_to_compatibility_code_and_to_both_l_and_d) {
  Long64 m;
  m.descriptor(kFree, 0x00cf9b000000ffff);
  m.descriptor(kFree2, 0x00ef9b000000ffff);
  EXPECT_FALSE(far_jump(m.core, kFree2, 0x6000, 4));
  EXPECT_EQ(m.error(), kFree2);
  ASSERT_TRUE(far_jump(m.core, kFree, 0x6000, 4));
  EXPECT_FALSE(m.core.is_64bit());
  EXPECT_TRUE(m.core.is_long());
}

TEST(FarLong, sixteen_byte_call_gate_changes_to_a_null_ss) {
  Long64 m;
  m.enter_ring3();
  m.descriptor(kFree, pack_gate(kCode0, 0x6000, kCallGate32, 3), 0);
  m.descriptor(kFree2, 0);
  ASSERT_TRUE(far_call(m.core, kFree | 3, 0, 4));
  EXPECT_EQ(m.core.s.cpl, 0);
  EXPECT_EQ(m.core.s.seg[SS].selector, 0);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 32);
  EXPECT_EQ(m.stack<u64>(0), 0x5000u);
  EXPECT_EQ(m.stack<u64>(1), kCode3 | 3u);
  EXPECT_EQ(m.stack<u64>(2), kStack3);
}

TEST(FarLong, tasks_do_not_exist) {
  Long64 m;
  m.descriptor(kFree, pack_descriptor(kTss, 0x67, 0x89));
  EXPECT_FALSE(far_jump(m.core, kFree, 0, 4));
  EXPECT_EQ(m.fault(), GP);
  EXPECT_EQ(m.error(), kFree);
}

}  // namespace
}  // namespace mock::cpu
