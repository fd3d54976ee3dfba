// Tables of capabilities, exit reasons and small sets: lookups by number and by name.
#include <gtest/gtest.h>

#include "kvmapi/cap.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/uapi/constants.hpp"

namespace kvmapi {
namespace {

TEST(capabilities, are_found_by_number_and_by_name) {
  for (const CapInfo& row : capabilities()) {
    EXPECT_EQ(find_cap(static_cast<u32>(row.id)), &row);
    EXPECT_EQ(cap_from_name(row.c_name), row.id);
    EXPECT_EQ(cap_from_name(row.name), row.id);
  }
  EXPECT_EQ(static_cast<u32>(Cap::ReadonlyMem), 81u);
  EXPECT_EQ(c_name(Cap::ReadonlyMem), "KVM_CAP_READONLY_MEM");
  EXPECT_EQ(find_cap(5), nullptr);
  EXPECT_EQ(c_name(Cap::None), "unknown capability");
  EXPECT_EQ(cap_from_name("KVM_CAP_NO_SUCH_THING"), std::nullopt);
}

TEST(capabilities, know_where_they_are_enabled) {
  EXPECT_TRUE(find_cap(static_cast<u32>(Cap::SplitIrqchip))->enabled_on.has(FdKind::Vm));
  EXPECT_TRUE(find_cap(static_cast<u32>(Cap::HypervSynic))->enabled_on.has(FdKind::Vcpu));
  EXPECT_TRUE(find_cap(static_cast<u32>(Cap::ReadonlyMem))->enabled_on.empty());
}

TEST(exits, are_found_by_number_and_by_name) {
  for (const ExitInfo& row : exits()) {
    EXPECT_EQ(find_exit(static_cast<u32>(row.id)), &row);
    EXPECT_EQ(exit_from_name(row.c_name), row.id);
    EXPECT_EQ(exit_from_name(row.name), row.id);
  }
  EXPECT_EQ(c_name(Exit::Io), "KVM_EXIT_IO");
  EXPECT_EQ(find_exit(static_cast<u32>(exits().size())), nullptr);
  EXPECT_EQ(exit_from_name("KVM_EXIT_NO_SUCH_THING"), std::nullopt);
}

TEST(sets, print_their_members) {
  EXPECT_EQ(to_text(FdKind::Vm | FdKind::Vcpu), "vm, vcpu");
  EXPECT_EQ(to_text(FdKinds{}), "none");
  EXPECT_EQ(to_text(Architectures(Arch::X86) | Arch::Arm64), "x86, arm64");
  EXPECT_EQ(to_text(kEvery), "all");
}

TEST(constants, compose_register_ids_and_pmu_events) {
  EXPECT_EQ(x86_msr_reg(0x10), 0x2030000200000010u);
  EXPECT_EQ(x86_kvm_reg(kRegGuestSsp), 0x2030000300000000u);
  EXPECT_EQ(masked_pmu_event(0xfc0, 0xaa, 0xbb, true), 0xaa80000f0000bbc0u);
}

}  // namespace
}  // namespace kvmapi
