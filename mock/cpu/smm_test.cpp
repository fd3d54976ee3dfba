// System management mode: what an SMI saves and changes, what RSM brings back, what it refuses.
#include "mock/cpu/smm.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/smm_save_area.hpp"
#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kSave = 0x30000 + SaveArea::kFirst;

TEST(Smm, long_mode_state_comes_back_as_it_was) {
  Long64 m;
  State& s = m.core.s;
  s.gpr[R15] = 0x1122334455667788;
  s.seg[FS].base = 0xffff800000000000;
  s.dr7 = 0x401;
  s.cr4 |= CR4_PCIDE;
  s.cr3 |= 5;
  m.core.set_rflags(kFlagsFixedOne | IF | CF | RF);
  const auto segments = s.seg;
  const u64 cr3 = s.cr3;
  s.nmi_pending = true;
  ASSERT_TRUE(enter_smm(m.core));
  EXPECT_TRUE(s.in_smm && s.nmi_blocked);
  EXPECT_EQ(s.rip, 0x8000u);
  EXPECT_EQ(s.seg[CS].base, 0x30000u);
  EXPECT_EQ(s.cr4, 0u);
  EXPECT_EQ(s.efer, 0u);
  EXPECT_EQ(m.core.rflags(), kFlagsFixedOne);
  EXPECT_EQ(m.bus.peek<u64>(kSave + 0x178), 0x5000u) << "RIP";
  s.gpr = {};
  ASSERT_TRUE(rsm(m.core, {}));
  EXPECT_FALSE(s.in_smm || s.nmi_blocked);
  EXPECT_TRUE(s.attention & kAttentionNmi);
  EXPECT_EQ(s.rip, 0x5000u);
  EXPECT_EQ(s.gpr[R15], 0x1122334455667788u);
  EXPECT_EQ(s.cr3, cr3);
  EXPECT_EQ(s.cr4, CR4_PAE | CR4_PCIDE);
  EXPECT_EQ(s.efer, EFER_LME | EFER_LMA | EFER_SCE | EFER_NX);
  EXPECT_EQ(s.dr7, 0x401u);
  EXPECT_EQ(m.core.rflags(), kFlagsFixedOne | IF | CF | RF);
  for (unsigned i = 0; i < 6; ++i) {
    EXPECT_EQ(s.seg[i].selector, segments[i].selector) << i;
    EXPECT_EQ(s.seg[i].base, segments[i].base) << i;
    EXPECT_EQ(s.seg[i].attributes, segments[i].attributes) << i;
  }
}

TEST(Smm, a_cpu_without_long_mode_has_the_32_bit_layout) {
  Protected32 m;
  State& s = m.core.s;
  m.core.features.efer_valid = 0;
  s.gpr[RDI] = 0x12345678;
  m.enter_ring3();
  const Segment ss = s.seg[SS];
  ASSERT_TRUE(enter_smm(m.core));
  EXPECT_EQ(m.bus.peek<u32>(kSave + 0x1d0 + RDI * 4), 0x12345678u);
  EXPECT_EQ(m.bus.peek<u32>(kSave + 0xfc), smm32::kRevisionValue);
  ASSERT_TRUE(rsm(m.core, {}));
  EXPECT_EQ(s.cpl, 3);
  EXPECT_EQ(s.seg[SS].selector, ss.selector);
  EXPECT_EQ(s.seg[SS].limit_bytes, ss.limit_bytes);
  EXPECT_EQ(s.cr0, CR0_PE | CR0_ET);
}

TEST(Smm, nmis_blocked_before_stay_blocked_after) {
  Protected32 m;
  m.core.s.nmi_blocked = true;
  ASSERT_TRUE(enter_smm(m.core));
  ASSERT_TRUE(rsm(m.core, {}));
  EXPECT_TRUE(m.core.s.nmi_blocked);
}

TEST(Smm, the_interrupt_shadow_is_saved) {
  Protected32 m;
  m.core.s.interrupt_shadow_mov_ss = true;
  ASSERT_TRUE(enter_smm(m.core));
  EXPECT_FALSE(m.core.s.interrupt_shadow_mov_ss);
  ASSERT_TRUE(rsm(m.core, {}));
  EXPECT_TRUE(m.core.s.interrupt_shadow_sti);
}

struct Impossible {
  const char* name;
  u32 offset;
  u64 value;
};

TEST(Smm, a_state_that_no_cpu_can_be_in_is_refused) {
  const Impossible kCases[] = {
      {"paging_without_protection", smm64::kCr0, CR0_PG | CR0_ET},
      {"long_mode_without_pae", smm64::kCr4, 0},
      {"reserved_bit_of_cr4", smm64::kCr4, CR4_PAE | u64{1} << 40},
      {"reserved_bit_of_efer", smm64::kEfer, EFER_LME | u64{1} << 40},
      {"upper_half_of_dr7", smm64::kDr7, u64{1} << 32},
  };
  for (const Impossible& c : kCases) {
    Long64 m;
    m.core.features.cr4_valid = CR4_PAE;
    m.core.features.efer_valid = EFER_LME | EFER_LMA | EFER_SCE | EFER_NX;
    ASSERT_TRUE(enter_smm(m.core));
    m.bus.poke<u64>(0x30000 + c.offset, c.value);
    EXPECT_FALSE(rsm(m.core, {})) << c.name;
    EXPECT_TRUE(m.core.fault.is_stop && m.core.fault.stop == Stop::bad_save_state) << c.name;
  }
}

TEST(Smm, rsm_outside_is_ud_and_a_save_state_needs_memory) {
  Protected32 m;
  EXPECT_FALSE(rsm(m.core, {}));
  EXPECT_EQ(m.fault(), UD);
  m.core.s.smbase = 0x200000;
  EXPECT_FALSE(enter_smm(m.core));
  EXPECT_EQ(m.core.fault.stop, Stop::no_save_state);
  EXPECT_TRUE(m.core.s.in_smm);
}

}  // namespace
}  // namespace mock::cpu
