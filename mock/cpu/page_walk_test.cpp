// The walker against hand-made paging structures: rights, error codes, A/D bits and large pages of each mode.
#include "mock/cpu/page_walk.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/system_test_bus.hpp"

namespace mock::cpu::page_walk {
namespace {

constexpr u64 kP = 1, kW = 2, kU = 4, kA = 0x20, kD = 0x40, kPs = 0x80, kG = 0x100;
constexpr u64 kNx = u64{1} << 63;

struct Machine {
  SystemTestBus bus;
  State state;
  Limits limits{.physical_bits = 40};

  Result go(u64 linear, Access access = Access::read, bool user = false, bool ac = false,
            Effects effects = Effects::accessed_dirty) {
    return walk(state, limits, bus, {.linear = {linear}, .access = access, .user = user, .smap_override = ac}, effects);
  }
};

// PML4 at 1000, PDPT 2000, PD 3000, PT 4000; linear 0x5000 maps to 0x7000.
struct Long : Machine {
  Long() {
    state.cr0 = CR0_PE | CR0_PG | CR0_WP;
    state.cr4 = CR4_PAE;
    state.efer = EFER_LME | EFER_LMA | EFER_NX;
    state.cr3 = 0x1000;
    bus.poke<u64>(0x1000, 0x2000 | kP | kW | kU);
    bus.poke<u64>(0x2000, 0x3000 | kP | kW | kU);
    bus.poke<u64>(0x3000, 0x4000 | kP | kW | kU);
    pte(0x7000 | kP | kW | kU);
  }
  void pte(u64 entry) { bus.poke<u64>(0x4000 + 5 * 8, entry); }
};

TEST(PageWalk, translation_is_the_identity_with_paging_off) {
  Machine m;
  const Result r = m.go(0x12345);
  EXPECT_EQ(r.status, Result::Status::ok);
  EXPECT_EQ(r.physical.value, 0x12345u);
}

TEST(PageWalk, four_levels_are_walked_and_accessed_and_dirty_are_set) {
  Long m;
  Result r = m.go(0x5678);
  EXPECT_EQ(r.physical.value, 0x7678u);
  EXPECT_TRUE(r.user && r.writable && r.executable && !r.dirty && !r.global);
  EXPECT_EQ(m.bus.peek<u64>(0x1000), 0x2000 | kP | kW | kU | kA);
  EXPECT_EQ(m.bus.peek<u64>(0x4028), 0x7000 | kP | kW | kU | kA);
  r = m.go(0x5678, Access::write);
  EXPECT_TRUE(r.dirty);
  EXPECT_EQ(m.bus.peek<u64>(0x4028), 0x7000 | kP | kW | kU | kA | kD);
  EXPECT_EQ(m.bus.peek<u64>(0x3000) & kD, 0u);
}

TEST(PageWalk, a_walk_without_effects_changes_nothing) {
  Long m;
  EXPECT_EQ(m.go(0x5000, Access::write, false, false, Effects::none).status, Result::Status::ok);
  EXPECT_EQ(m.bus.peek<u64>(0x4028), 0x7000 | kP | kW | kU);
}

TEST(PageWalk, read_only_memory_under_a_paging_structure_keeps_its_bits) {
  Long m;
  m.bus.read_only_page = 0x4000;
  EXPECT_EQ(m.go(0x5000, Access::write).status, Result::Status::ok);
  EXPECT_EQ(m.bus.peek<u64>(0x4028), 0x7000 | kP | kW | kU);
}

struct FaultCase {
  const char* name;
  u64 pte;
  Access access;
  bool user;
  u64 cr0_clear, cr4, efer_clear;
  bool ac;
  s64 expect;  // error code, -1 = allowed
};

TEST(PageWalk, rights_and_error_codes_of_a_four_level_walk) {
  constexpr FaultCase kCases[] = {
      {"not_present_read", 0, Access::read, false, 0, 0, 0, false, 0},
      {"not_present_user_write", 0, Access::write, true, 0, 0, 0, false, kWrite | kUser},
      {"not_present_fetch_with_nx", 0, Access::execute, false, 0, 0, 0, false, kFetch},
      {"not_present_fetch_without_nx", 0, Access::execute, false, 0, 0, EFER_NX, false, 0},
      {"not_present_fetch_with_smep", 0, Access::execute, false, 0, CR4_SMEP, EFER_NX, false, kFetch},
      {"user_reads_supervisor", kP | kW, Access::read, true, 0, 0, 0, false, kPresent | kUser},
      {"user_writes_read_only", kP | kU, Access::write, true, 0, 0, 0, false, kPresent | kWrite | kUser},
      {"supervisor_writes_read_only", kP | kU, Access::write, false, 0, 0, 0, false, kPresent | kWrite},
      {"supervisor_writes_read_only_without_wp", kP | kU, Access::write, false, CR0_WP, 0, 0, false, -1},
      {"fetch_from_nx", kP | kW | kNx, Access::execute, false, 0, 0, 0, false, kPresent | kFetch},
      {"nx_is_reserved_without_nxe", kP | kW | kNx, Access::read, false, 0, 0, EFER_NX, false, kPresent | kReserved},
      {"above_the_physical_width", kP | kW | u64{1} << 40, Access::read, false, 0, 0, 0, false, kPresent | kReserved},
      {"reserved_wins_over_rights", kP | u64{1} << 40, Access::write, true, 0, 0, 0, false,
       kPresent | kReserved | kWrite | kUser},
      {"smep_fetch_of_a_user_page", kP | kU, Access::execute, false, 0, CR4_SMEP, 0, false, kPresent | kFetch},
      {"smap_read_of_a_user_page", kP | kU, Access::read, false, 0, CR4_SMAP, 0, false, kPresent},
      {"smap_read_with_ac", kP | kU, Access::read, false, 0, CR4_SMAP, 0, true, -1},
      {"smap_does_not_stop_user", kP | kU, Access::read, true, 0, CR4_SMAP, 0, false, -1},
  };
  for (const FaultCase& c : kCases) {
    Long m;
    m.pte(c.pte ? 0x7000 | c.pte : 0);
    m.state.cr0 &= ~c.cr0_clear;
    m.state.cr4 |= c.cr4;
    m.state.efer &= ~c.efer_clear;
    const Result r = m.go(0x5000, c.access, c.user, c.ac);
    if (c.expect < 0) {
      EXPECT_EQ(r.status, Result::Status::ok) << c.name;
    } else {
      EXPECT_EQ(r.status, Result::Status::page_fault) << c.name;
      EXPECT_EQ(r.error_code, c.expect) << c.name;
      EXPECT_EQ(m.bus.peek<u64>(0x4028) & kA, 0u) << c.name;
    }
  }
}

TEST(PageWalk, rights_of_all_levels_are_combined) {
  Long m;
  m.bus.poke<u64>(0x2000, 0x3000 | kP | kW);  // supervisor at the PDPT
  EXPECT_EQ(m.go(0x5000, Access::read, true).error_code, kPresent | kUser);
  m.bus.poke<u64>(0x2000, 0x3000 | kP | kU | kNx);
  EXPECT_EQ(m.go(0x5000, Access::write, true).error_code, kPresent | kUser | kWrite);
  EXPECT_EQ(m.go(0x5000, Access::execute, true).error_code, kPresent | kUser | kFetch);
}

TEST(PageWalk, two_mebibyte_and_one_gibibyte_pages) {
  Long m;
  m.bus.poke<u64>(0x3000, 0x200000 | kP | kPs | kG);
  m.state.cr4 |= CR4_PGE;
  Result r = m.go(0x12345);
  EXPECT_EQ(r.physical.value, 0x212345u);
  EXPECT_EQ(r.page_bytes, u64{2} << 20);
  EXPECT_TRUE(r.global);
  m.bus.poke<u64>(0x3000, 0x202000 | kP | kPs);
  EXPECT_EQ(m.go(0).error_code, kPresent | kReserved);
  m.bus.poke<u64>(0x2000, 0x40000000 | kP | kPs);
  r = m.go(0x12345678);
  EXPECT_EQ(r.physical.value, 0x52345678u);
  EXPECT_EQ(r.page_bytes, u64{1} << 30);
  m.limits.has_1g_pages = false;
  EXPECT_EQ(m.go(0).error_code, kPresent | kReserved);
}

TEST(PageWalk, bit_eight_of_a_pml4e_is_reserved_on_amd_only) {
  Long m;
  m.bus.poke<u64>(0x1000, 0x2000 | kP | kW | kU | kG);
  EXPECT_EQ(m.go(0x5000).error_code, kPresent | kReserved);
  m.limits.is_amd = false;
  EXPECT_EQ(m.go(0x5000).status, Result::Status::ok);
}

TEST(PageWalk, five_levels) {
  Long m;
  m.state.cr4 |= CR4_LA57;
  m.state.cr3 = 0x8000;
  m.bus.poke<u64>(0x8008, 0x1000 | kP | kW | kU);
  EXPECT_EQ(m.go((u64{1} << 48) + 0x5001).physical.value, 0x7001u);
}

TEST(PageWalk, protection_keys_stop_user_pages_in_long_mode) {
  Long m;
  m.state.cr4 |= CR4_PKE;
  m.pte(0x7000 | kP | kW | kU | u64{3} << 59);
  m.state.fpu.pkru = 1u << 6;  // key 3: access disabled
  EXPECT_EQ(m.go(0x5000, Access::read, true).error_code, kPresent | kUser | kProtectionKey);
  EXPECT_EQ(m.go(0x5000, Access::execute, true).status, Result::Status::ok);
  m.state.fpu.pkru = 2u << 6;  // writes disabled
  EXPECT_EQ(m.go(0x5000, Access::read, true).status, Result::Status::ok);
  EXPECT_EQ(m.go(0x5000, Access::write, false).error_code, kPresent | kWrite | kProtectionKey);
  m.state.cr0 &= ~u64{CR0_WP};
  EXPECT_EQ(m.go(0x5000, Access::write, false).status, Result::Status::ok);
  m.pte(0x7000 | kP | kW | u64{3} << 59);  // supervisor page
  EXPECT_EQ(m.go(0x5000, Access::write, false).status, Result::Status::ok);
}

// PD at 1000, PT at 2000.
struct Legacy : Machine {
  Legacy() {
    state.cr0 = CR0_PE | CR0_PG;
    state.cr3 = 0x1018;  // PWT, PCD are ignored
    bus.poke<u32>(0x1000, 0x2000 | kP | kW | kU);
    bus.poke<u32>(0x2000 + 5 * 4, 0x7000 | kP | kW | kU);
  }
};

TEST(PageWalk, two_level_walk_of_32_bit_paging) {
  Legacy m;
  EXPECT_EQ(m.go(0x5123, Access::write).physical.value, 0x7123u);
  EXPECT_EQ(m.bus.peek<u32>(0x1000), 0x2000 | kP | kW | kU | kA);
  EXPECT_EQ(m.bus.peek<u32>(0x2014), 0x7000 | kP | kW | kU | kA | kD);
  EXPECT_EQ(m.go(0x6123, Access::execute).error_code, 0u);
}

TEST(PageWalk, four_mebibyte_pages_need_pse_and_reach_40_bits_on_amd) {
  Legacy m;
  m.bus.poke<u32>(0x1004, 0x00c00000 | kP | kPs | 0xffu << 13);
  m.state.cr4 = CR4_PSE;
  Result r = m.go(0x412345);
  EXPECT_EQ(r.physical.value, 0xff00c12345u);
  EXPECT_EQ(r.page_bytes, u64{4} << 20);
  m.bus.poke<u32>(0x1004, 0x00c00000 | kP | kPs | 1u << 21);
  EXPECT_EQ(m.go(0x412345).error_code, kPresent | kReserved);
  m.bus.poke<u32>(0x1004, 0x2000 | kP | kPs);
  m.state.cr4 = 0;  // PS is ignored
  EXPECT_EQ(m.go(0x405000).physical.value, 0x7000u);
}

struct Pae : Machine {
  Pae() {
    state.cr0 = CR0_PE | CR0_PG;
    state.cr4 = CR4_PAE;
    state.cr3 = 0x1020;
    bus.poke<u64>(0x1028, 0x2000 | kP);          // second GiB
    bus.poke<u64>(0x2000, 0x3000 | kP | kW);     // PD
    bus.poke<u64>(0x2008, 0x200000 | kP | kPs);  // 2 MiB
    bus.poke<u64>(0x3028, 0x7000 | kP | kW);
  }
};

TEST(PageWalk, pae_walks_three_levels_from_a_32_byte_aligned_table) {
  Pae m;
  EXPECT_EQ(m.go(0x40005123).physical.value, 0x7123u);
  EXPECT_EQ(m.bus.peek<u64>(0x1028), 0x2000 | kP) << "PDPTEs have no accessed bit";
  EXPECT_EQ(m.go(0x40212345).physical.value, 0x212345u);
  EXPECT_EQ(m.go(0x5123).error_code, 0u);
  m.bus.poke<u64>(0x1028, 0x2000 | kP | kW);
  EXPECT_EQ(m.go(0x40005123).error_code, kPresent | kReserved);
}

TEST(PageWalk, intel_keeps_the_pdptes_of_the_last_cr3_write) {
  Pae m;
  m.limits.is_amd = false;
  ASSERT_TRUE(read_pdptes(m.limits, m.bus, m.state.cr3, m.state.pdptr));
  m.bus.poke<u64>(0x1028, 0);
  EXPECT_EQ(m.go(0x40005123).physical.value, 0x7123u);
  m.bus.poke<u64>(0x1028, 0x2000 | kP | kU);
  EXPECT_FALSE(read_pdptes(m.limits, m.bus, m.state.cr3, m.state.pdptr));
}

}  // namespace
}  // namespace mock::cpu::page_walk
