// Control registers, EFER, XCR0 and the core's MSRs: checks and consequences of writes.
#include "mock/cpu/control.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/msr.hpp"
#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

TEST(Cr0, impossible_combinations_are_refused) {
  RealMode m;
  EXPECT_FALSE(set_cr0(m.core, CR0_PG));
  EXPECT_EQ(m.fault(), GP);
  EXPECT_FALSE(set_cr0(m.core, CR0_NW));
  EXPECT_FALSE(set_cr0(m.core, u64{1} << 32));
  EXPECT_EQ(m.core.s.cr0, CR0_ET);
}

TEST(Cr0, undefined_bits_are_dropped_and_et_is_fixed) {
  RealMode m;
  ASSERT_TRUE(set_cr0(m.core, 0xffc0 | CR0_PE));
  EXPECT_EQ(m.core.s.cr0, CR0_PE | CR0_ET);
}

TEST(Cr0, paging_with_lme_activates_long_mode) {
  Protected32 m;
  m.core.s.efer = EFER_LME;
  EXPECT_FALSE(set_cr0(m.core, CR0_PE | CR0_PG)) << "needs PAE";
  m.core.s.cr4 = CR4_PAE;
  ASSERT_TRUE(set_cr0(m.core, CR0_PE | CR0_PG));
  EXPECT_EQ(m.core.s.efer, EFER_LME | EFER_LMA);
  ASSERT_TRUE(set_cr0(m.core, CR0_PE));
  EXPECT_EQ(m.core.s.efer, EFER_LME);
}

TEST(Cr0, paging_can_not_be_left_in_64_bit_code) {
  Long64 m;
  EXPECT_FALSE(set_cr0(m.core, CR0_PE));
  EXPECT_EQ(m.fault(), GP);
}

TEST(Cr4, bits_that_cpuid_lacks_are_reserved) {
  Protected32 m;
  m.core.features.cr4_valid = CR4_PAE;
  EXPECT_TRUE(set_cr4(m.core, CR4_PAE));
  EXPECT_FALSE(set_cr4(m.core, CR4_PAE | CR4_SMEP));
}

TEST(Cr4, long_mode_needs_pae_and_pcid_needs_long_mode) {
  Long64 m;
  EXPECT_FALSE(set_cr4(m.core, 0));
  EXPECT_FALSE(set_cr4(m.core, CR4_PAE | CR4_LA57));
  EXPECT_TRUE(set_cr4(m.core, CR4_PAE | CR4_PCIDE));
  Protected32 p;
  EXPECT_FALSE(set_cr4(p.core, CR4_PCIDE));
}

TEST(Cr3, bits_above_the_physical_width_fault_in_long_mode_only) {
  Long64 m;
  m.core.features.physical_bits = 40;
  EXPECT_FALSE(set_cr3(m.core, u64{1} << 40));
  EXPECT_TRUE(set_cr3(m.core, u64{1} << 39));
}

TEST(Efer, lme_is_fixed_while_paging_is_on_and_lma_is_read_only) {
  Long64 m;
  EXPECT_FALSE(set_efer(m.core, 0));
  EXPECT_TRUE(set_efer(m.core, EFER_LME));
  EXPECT_EQ(m.core.s.efer, EFER_LME | EFER_LMA);
  m.core.features.efer_valid = EFER_LME;
  EXPECT_FALSE(set_efer(m.core, EFER_LME | EFER_NX));
}

TEST(Xcr0, components_depend_on_each_other) {
  RealMode m;
  m.core.features.xcr0_valid = 7;
  EXPECT_TRUE(set_xcr0(m.core, 7));
  EXPECT_FALSE(set_xcr0(m.core, 6));
  EXPECT_FALSE(set_xcr0(m.core, 5));
  EXPECT_FALSE(set_xcr0(m.core, 0x207));
  EXPECT_EQ(m.core.s.fpu.xcr0, 7u);
}

TEST(DebugRegisters, reserved_bits_are_fixed) {
  EXPECT_EQ(fixed_dr6(0), 0xffff0ff0u);
  EXPECT_EQ(fixed_dr6(0xffff), 0xffffefffu);
  EXPECT_EQ(fixed_dr7(0), 0x400u);
  EXPECT_EQ(fixed_dr7(~u64{0}), 0xffff2fffu);
}

TEST(Msr, addresses_must_be_canonical_or_are_made_so) {
  RealMode m;
  constexpr u64 kBad = u64{1} << 47;
  u64 value = 0;
  EXPECT_EQ(write_core_msr(m.core, 0xc0000082, kBad, MsrBy::guest), MsrAnswer::fault);
  EXPECT_EQ(write_core_msr(m.core, 0x175, kBad, MsrBy::guest), MsrAnswer::done);
  EXPECT_EQ(read_core_msr(m.core, 0x175, value), MsrAnswer::done);
  EXPECT_EQ(value, 0xffff800000000000u);
}

TEST(Msr, pat_takes_valid_memory_types_only) {
  RealMode m;
  EXPECT_EQ(write_core_msr(m.core, 0x277, 0x0706050401000706, MsrBy::guest), MsrAnswer::done);
  EXPECT_EQ(write_core_msr(m.core, 0x277, 0x0000000000000002, MsrBy::guest), MsrAnswer::fault);
}

TEST(Msr, tsc_is_the_bus_counter_plus_an_offset) {
  RealMode m;
  m.bus.tsc = 1000;
  u64 value = 0;
  EXPECT_EQ(write_core_msr(m.core, 0x10, 5, MsrBy::guest), MsrAnswer::done);
  EXPECT_EQ(m.core.s.tsc_offset, u64{0} - 995);
  m.bus.tsc = 1100;
  EXPECT_EQ(read_core_msr(m.core, 0x10, value), MsrAnswer::done);
  EXPECT_EQ(value, 105u);
}

TEST(Msr, others_belong_to_the_owner) {
  RealMode m;
  u64 value = 0;
  EXPECT_EQ(read_core_msr(m.core, 0x1b, value), MsrAnswer::elsewhere);
  EXPECT_EQ(write_core_msr(m.core, 0x2ff, 0, MsrBy::owner), MsrAnswer::elsewhere);
}

}  // namespace
}  // namespace mock::cpu
