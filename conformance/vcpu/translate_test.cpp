// KVM_TRANSLATE: guest linear to guest physical addresses.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

// Page tables for 32-bit paging at 0x10000: linear 0x400000 -> 0x5000, linear 0 not mapped.
void page_tables(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
  auto* directory = reinterpret_cast<u32*>(t.memory().data() + 0x10000);
  auto* table = reinterpret_cast<u32*>(t.memory().data() + 0x11000);
  directory[1] = 0x11000 | 7;
  table[0] = 0x5000 | 7;
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.cr3 = 0x10000;
  sregs.cr0 = 0x80000031;
  t.must(t.vcpu().set_sregs(sregs));
}

KVM_TEST("vcpu.translate", "without_paging_is_the_same_address", "api.rst 4.15")(Ctx& t) {
  const auto answer = t.must(t.vcpu().translate({0x12345}));
  EXPECT_EQ(answer.physical_address, 0x12345u);
  EXPECT_EQ(answer.valid, 1);
}

KVM_TEST("vcpu.translate", "follows_the_page_tables", "api.rst 4.15")(Ctx& t) {
  page_tables(t);
  const auto answer = t.must(t.vcpu().translate({0x400123}));
  EXPECT_EQ(answer.physical_address, 0x5123u);
  EXPECT_EQ(answer.valid, 1);
}

KVM_TEST("vcpu.translate", "unmapped_address_is_success_with_valid_0", "kvm_arch_vcpu_ioctl_translate",
         {.status = Abi::observed})
(Ctx& t) {
  page_tables(t);
  const auto answer = t.must(t.vcpu().translate({0x800000}));
  EXPECT_EQ(answer.valid, 0);
  EXPECT_EQ(answer.physical_address, ~u64{0});
}

KVM_TEST("vcpu.translate", "writeable_is_always_1_and_usermode_0", "kvm_arch_vcpu_ioctl_translate",
         {.status = Abi::observed})
(Ctx& t) {
  page_tables(t);
  for (u64 address : {u64{0x400000}, u64{0x800000}}) {
    const auto answer = t.must(t.vcpu().translate({address}));
    EXPECT_EQ(answer.writeable, 1);
    EXPECT_EQ(answer.usermode, 0);
    EXPECT_EQ(answer.linear_address, address);
  }
}

// Long mode: 2 MiB from 0x4000_0040_0000 on are guest memory from 0 on, the 4 KiB behind are at 0x5000.
constexpr u64 kLinear = 0x400000400000;

void long_mode(Ctx& t) {
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid())));
  auto table = [&](u64 gpa) { return reinterpret_cast<u64*>(t.memory().data() + gpa); };
  table(0x10000)[kLinear >> 39 & 511] = 0x11000 | 3;
  table(0x11000)[kLinear >> 30 & 511] = 0x12000 | 3;
  table(0x12000)[2] = 0 | 0x83;
  table(0x12000)[3] = 0x13000 | 3;
  table(0x13000)[0] = 0x5000 | 3;
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.cr3 = 0x10000;
  sregs.cr4 = 0x20;
  sregs.efer = 0x500;
  sregs.cr0 = 0x80000031;
  sregs.cs.l = 1;
  sregs.cs.db = 0;
  t.must(t.vcpu().set_sregs(sregs));
}

KVM_TEST("vcpu.translate", "follows_four_levels_in_long_mode", "api.rst 4.15",
         {.needs = {.cpu = cpu_feature::kLongMode}})
(Ctx& t) {
  long_mode(t);
  EXPECT_EQ(t.must(t.vcpu().translate({kLinear + 0x123456})).physical_address, 0x123456u) << "2 MiB page";
  EXPECT_EQ(t.must(t.vcpu().translate({kLinear + 0x200abc})).physical_address, 0x5abcu) << "4 KiB page";
}

KVM_TEST("vcpu.translate", "unmapped_address_in_long_mode_has_valid_0", "api.rst 4.15; kvm_arch_vcpu_ioctl_translate",
         {.needs = {.cpu = cpu_feature::kLongMode}, .status = Abi::observed})
(Ctx& t) {
  long_mode(t);
  EXPECT_EQ(t.must(t.vcpu().translate({kLinear + 0x201000})).valid, 0);
  EXPECT_EQ(t.must(t.vcpu().translate({0})).valid, 0);
}

}  // namespace
}  // namespace conformance
