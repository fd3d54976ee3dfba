// KVM_GET_ONE_REG, KVM_SET_ONE_REG, KVM_GET_REG_LIST: registers by id (x86 kernels from 7.x).
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_one_reg;

constexpr u32 kStar = 0xc0000081;

template <u64 kId, Ioctl kWay>
constexpr Call kReg = [](Ctx& t) {
  u64 value = 0;
  const kvm_one_reg reg{.id = kId, .addr = reinterpret_cast<u64>(&value)};
  return t.vcpu().raw(kWay, &reg);
};

constexpr IoctlCase kGetReg[] = {
    {.name = "msr_is_readable",
     .call = kReg<kvmapi::x86_msr_reg(kStar), Ioctl::GetOneReg>,
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::OneReg}},
    {.name = "unknown_msr_is_einval",
     .call = kReg<kvmapi::x86_msr_reg(0xdead0000), Ioctl::GetOneReg>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::OneReg}},
    {.name = "register_of_arm64_is_einval",
     .call = kReg<kvmapi::kRegArm64 | kvmapi::kRegSizeU64, Ioctl::GetOneReg>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::OneReg}},
    {.name = "size_of_32_bits_is_einval",
     .call = kReg<(kvmapi::x86_msr_reg(kStar) & ~kvmapi::kRegSizeMask) | kvmapi::kRegSizeU32, Ioctl::GetOneReg>,
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::OneReg}},
    {.name = "value_in_unmapped_memory_is_efault",
     .call = [](Ctx& t) { return t.vcpu().get_one_reg({.id = kvmapi::x86_msr_reg(kStar), .addr = 8}); },
     .expect = fails(EFAULT),
     .needs = {.vm_cap = Cap::OneReg}},
    {.name = "without_the_capability_is_einval",
     .call = kReg<kvmapi::x86_msr_reg(kStar), Ioctl::GetOneReg>,
     .expect = fails(EINVAL),
     .needs = {.kernel_before = {6, 13}},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.get_one_reg", "api.rst 4.69", kGetReg);

KVM_TEST("vcpu.set_one_reg", "msr_is_read_back_by_both_ways", "api.rst 4.68", {.needs = {.vm_cap = Cap::OneReg}})
(Ctx& t) {
  u64 value = 0x0023001000000000;
  const kvm_one_reg reg{.id = kvmapi::x86_msr_reg(kStar), .addr = reinterpret_cast<u64>(&value)};
  t.must(t.vcpu().set_one_reg(reg));
  EXPECT_THAT(t.vcpu().get_msr(kStar), Returns(value));
  const u64 want = value;
  value = 0;
  t.must(t.vcpu().get_one_reg(reg));
  EXPECT_EQ(value, want);
}

constexpr IoctlCase kRegList[] = {
    {.name = "whole_list_fits_in_eight_entries",
     .call =
         [](Ctx& t) {
           kvmapi::RegList list(8);
           const auto answer = t.vcpu().get_reg_list(list);
           EXPECT_LE(list.count(), 8u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::OneReg}},
};
KVM_ROWS("vcpu.get_reg_list", "api.rst 4.84", kRegList);

}  // namespace
}  // namespace conformance
