// The table of ioctls: it is consistent in itself, its lookups work, and an unknown number is explained.
#include "kvmapi/ioctl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvmapi {
namespace {

using testing::HasSubstr;

// Numbers whose direction bits do not say what really happens (api.rst and the kernel's code disagree with the header).
const std::set<std::string_view> kWrongDirectionBits = {
    "KVM_SET_IRQCHIP",      "KVM_SET_PIT",         "KVM_MEMORY_ENCRYPT_REG_REGION", "KVM_MEMORY_ENCRYPT_UNREG_REGION",
    "KVM_REINJECT_CONTROL", "KVM_CLEAR_DIRTY_LOG", "KVM_CREATE_GUEST_MEMFD"};

TEST(ioctl_table, sizes_in_numbers_are_the_sizes_of_arguments) {
  for (const IoctlInfo& row : ioctls()) {
    if (!row.is_x86 || row.id == Ioctl::ReinjectControl || row.id == Ioctl::MemoryEncryptOp) continue;
    EXPECT_EQ(split_request(row.number()).bytes, row.argument_bytes) << row.c_name;
  }
  EXPECT_EQ(split_request(number(Ioctl::ReinjectControl)).bytes, 0u);
  EXPECT_EQ(split_request(number(Ioctl::MemoryEncryptOp)).bytes, 8u);
}

TEST(ioctl_table, directions_in_numbers_are_right_except_where_known) {
  for (const IoctlInfo& row : ioctls()) {
    if (!row.is_x86 || row.passing != Passing::Pointer) continue;
    const bool same = split_request(row.number()).direction == row.direction;
    EXPECT_EQ(same, !kWrongDirectionBits.contains(row.c_name)) << row.c_name;
  }
}

TEST(ioctl_table, numbers_are_unique_within_x86) {
  std::set<u32> seen;
  for (const IoctlInfo& row : ioctls()) {
    if (row.is_x86) {
      EXPECT_TRUE(seen.insert(row.number()).second) << row.c_name;
    }
  }
}

TEST(ioctl_table, every_row_is_found_by_number_and_by_name) {
  for (const IoctlInfo& row : ioctls()) {
    for (const FdKind kind : {FdKind::System, FdKind::Vm, FdKind::Vcpu, FdKind::Device}) {
      if (row.fds.has(kind)) {
        EXPECT_EQ(find_ioctl(kind, row.number()), &row) << row.c_name;
      }
    }
    EXPECT_EQ(find_ioctl(row.c_name), &row);
    EXPECT_EQ(find_ioctl(row.name), &row);
  }
  EXPECT_EQ(find_ioctl("KVM_NO_SUCH_THING"), nullptr);
  EXPECT_EQ(find_ioctl(FdKind::Vm, number(Ioctl::Run)), nullptr);
}

TEST(ioctl_table, the_shared_number_depends_on_the_descriptor) {
  EXPECT_EQ(number(Ioctl::GetOneReg), number(Ioctl::ArmSetDeviceAddr));
  EXPECT_EQ(find_ioctl(FdKind::Vcpu, number(Ioctl::GetOneReg))->c_name, "KVM_GET_ONE_REG");
  EXPECT_EQ(find_ioctl(FdKind::Vm, number(Ioctl::GetOneReg))->c_name, "KVM_ARM_SET_DEVICE_ADDR");
  EXPECT_EQ(info(Ioctl::GetOneReg).c_name, "KVM_GET_ONE_REG");
}

TEST(ioctl_table, an_immediate_or_missing_argument_has_no_size_in_the_number) {
  for (const IoctlInfo& row : ioctls()) {
    if (row.is_x86 && row.passing != Passing::Pointer) {
      EXPECT_EQ(row.number() >> 16, 0u) << row.c_name;
    }
  }
}

TEST(request_number, is_split_and_joined) {
  constexpr RequestParts parts = split_request(0x4020ae46);
  EXPECT_EQ(parts, (RequestParts{0x46, 0xae, 32, Direction::In}));
  EXPECT_EQ(make_request(parts.nr, parts.direction, parts.bytes), 0x4020ae46u);
}

TEST(explain_unknown, names_the_flexible_array_bug) {
  EXPECT_THAT(explain_unknown(FdKind::System, 0xc00cae05), HasSubstr("C++ flexible-array bug"));
  EXPECT_THAT(explain_unknown(FdKind::System, 0xc00cae05), HasSubstr("you meant KVM_GET_SUPPORTED_CPUID (0xc008ae05)"));
  EXPECT_THAT(explain_unknown(FdKind::Vcpu, 0x400cae90), HasSubstr("you meant KVM_SET_CPUID2 (0x4008ae90)"));
}

TEST(explain_unknown, names_the_right_descriptor) {
  EXPECT_THAT(explain_unknown(FdKind::Vm, number(Ioctl::Run)),
              HasSubstr("KVM_RUN (0x0000ae80) belongs to a vcpu descriptor"));
}

TEST(explain_unknown, names_another_architecture) {
  EXPECT_THAT(explain_unknown(FdKind::Vcpu, number(Ioctl::ArmVcpuInit)), HasSubstr("belongs to arm64"));
}

TEST(explain_unknown, names_a_wrong_size_or_direction) {
  EXPECT_THAT(explain_unknown(FdKind::Vcpu, 0x8010ae81), HasSubstr("that of KVM_GET_REGS (0x8090ae81) has 144"));
  EXPECT_THAT(explain_unknown(FdKind::Vcpu, 0x4090ae81), HasSubstr("direction is in, that of KVM_GET_REGS"));
}

TEST(explain_unknown, names_requests_that_are_not_kvm) {
  EXPECT_THAT(explain_unknown(FdKind::Vm, 0x5401), HasSubstr("not a KVM request"));
  EXPECT_THAT(explain_unknown(FdKind::Vm, 0xaeff), HasSubstr("KVM has no request 0xff"));
}

}  // namespace
}  // namespace kvmapi
