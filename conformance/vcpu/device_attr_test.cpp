// KVM_SET_DEVICE_ATTR, KVM_GET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR on a vcpu: the TSC offset.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_device_attr;

constexpr IoctlCase kAttr[] = {
    {.name = "tsc_offset_is_there",
     .call =
         [](Ctx& t) {
           return t.vcpu().has_device_attr({.group = kvmapi::kVcpuTscCtrl, .attr = kvmapi::kVcpuTscOffset});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::VcpuAttributes}},
    {.name = "unknown_group_is_enxio",
     .call = [](Ctx& t) { return t.vcpu().has_device_attr({.group = 7}); },
     .expect = fails(ENXIO),
     .needs = {.vm_cap = Cap::VcpuAttributes}},
    {.name = "unknown_attribute_is_enxio",
     .call = [](Ctx& t) { return t.vcpu().has_device_attr({.attr = 7}); },
     .expect = fails(ENXIO),
     .needs = {.vm_cap = Cap::VcpuAttributes}},
    {.name = "before_5_16_is_einval",
     .call = [](Ctx& t) { return t.vcpu().has_device_attr({}); },
     .expect = fails(EINVAL),
     .needs = {.kernel_before = {5, 16}},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.has_device_attr", "api.rst 4.81; devices/vcpu.rst 4.1", kAttr);

constexpr IoctlCase kSetAttr[] = {
    {.name = "unknown_attribute_is_enxio",
     .call =
         [](Ctx& t) {
           u64 value = 0;
           return t.vcpu().set_device_attr({.attr = 7, .addr = reinterpret_cast<u64>(&value)});
         },
     .expect = fails(ENXIO),
     .needs = {.vm_cap = Cap::VcpuAttributes}},
    {.name = "value_in_unmapped_memory_is_efault",
     .call = [](Ctx& t) { return t.vcpu().set_device_attr({.addr = 8}); },
     .expect = fails(EFAULT),
     .needs = {.vm_cap = Cap::VcpuAttributes}},
};
KVM_ROWS("vcpu.set_device_attr", "api.rst 4.80; devices/vcpu.rst 4.1", kSetAttr);

KVM_TEST("vcpu.set_device_attr", "tsc_offset_is_read_back", "devices/vcpu.rst 4.1",
         {.needs = {.vm_cap = Cap::VcpuAttributes}})
(Ctx& t) {
  u64 value = u64{1} << 45;
  const kvm_device_attr attr{
      .group = kvmapi::kVcpuTscCtrl, .attr = kvmapi::kVcpuTscOffset, .addr = reinterpret_cast<u64>(&value)};
  t.must(t.vcpu().set_device_attr(attr));
  value = 0;
  t.must(t.vcpu().get_device_attr(attr));
  EXPECT_EQ(value, u64{1} << 45);
}

KVM_TEST("vcpu.set_device_attr", "tsc_offset_moves_the_time_stamp_counter", "devices/vcpu.rst 4.1",
         {.needs = {.vm_cap = Cap::VcpuAttributes}})
(Ctx& t) {
  u64 value = 0;
  const kvm_device_attr attr{
      .group = kvmapi::kVcpuTscCtrl, .attr = kvmapi::kVcpuTscOffset, .addr = reinterpret_cast<u64>(&value)};
  t.must(t.vcpu().get_device_attr(attr));
  const u64 before = t.must(t.vcpu().get_msr(0x10));
  value += u64{1} << 50;
  t.must(t.vcpu().set_device_attr(attr));
  const u64 after = t.must(t.vcpu().get_msr(0x10));
  EXPECT_GE(after - before, u64{1} << 50);
  EXPECT_LT(after - before, (u64{1} << 50) + (u64{1} << 40));
}

}  // namespace
}  // namespace conformance
