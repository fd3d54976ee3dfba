// KVM_GET_ONE_REG, KVM_SET_ONE_REG, KVM_GET_REG_LIST, device attributes of a vcpu, KVM_GET_NESTED_STATE,
// KVM_SET_NESTED_STATE, KVM_GET_SUPPORTED_HV_CPUID of a vcpu.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_device_attr;
using kvmapi::kvm_one_reg;
using kvmapi::NestedState;

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

// --- TSC offset
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

// --- Nested state
constexpr IoctlCase kGetNested[] = {
    {.name = "outside_guest_mode_is_the_header_only",
     .call =
         [](Ctx& t) {
           NestedState state;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().size, 128u);
           EXPECT_EQ(state.header().flags & kvmapi::kStateNestedGuestMode, 0);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState}},
    {.name = "format_is_that_of_the_vendor",
     .call =
         [](Ctx& t) {
           NestedState state;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().format, kvmapi::kStateNestedFormatSvm);
           EXPECT_NE(state.header().flags & kvmapi::kStateNestedGifSet, 0);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState, .vendor = Vendor::amd}},
    {.name = "size_too_small_is_e2big_and_writes_the_needed_size",
     .call =
         [](Ctx& t) {
           NestedState state;
           state.header().size = 8;
           const auto answer = t.vcpu().get_nested_state(state);
           EXPECT_EQ(state.header().size, 128u);
           return answer;
         },
     .expect = fails(E2BIG),
     .needs = {.cap = Cap::NestedState}},
    {.name = "without_nesting_is_einval",
     .call =
         [](Ctx& t) {
           if (t.must(t.system().check_extension(Cap::NestedState)) != 0) t.skip("nesting is on");
           NestedState state;
           return t.vcpu().get_nested_state(state);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.get_nested_state", "api.rst 4.114", kGetNested);

template <auto kChange>
constexpr Call kSetNested = [](Ctx& t) {
  NestedState state;
  t.must(t.vcpu().get_nested_state(state));
  kChange(state.header());
  return t.vcpu().set_nested_state(state);
};

constexpr IoctlCase kSetNestedRows[] = {
    {.name = "what_was_read_is_accepted",
     .call = kSetNested<[](kvmapi::kvm_nested_state&) {}>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::NestedState}},
    {.name = "size_below_the_header_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.size = 127; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "unknown_flag_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= 0x8000; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "run_pending_without_guest_mode_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= kvmapi::kStateNestedRunPending; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "unknown_format_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.format = 9; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState}},
    {.name = "guest_mode_without_svme_is_einval",
     .call = kSetNested<[](kvmapi::kvm_nested_state& s) { s.flags |= kvmapi::kStateNestedGuestMode; }>,
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::NestedState, .vendor = Vendor::amd}},
};
KVM_ROWS("vcpu.set_nested_state", "api.rst 4.115", kSetNestedRows);

constexpr IoctlCase kHyperv[] = {
    {.name = "table_is_readable",
     .call =
         [](Ctx& t) {
           kvmapi::Cpuid list(64);
           const auto answer = t.vcpu().get_supported_hv_cpuid(list);
           EXPECT_LT(list.count(), 20u);
           EXPECT_EQ(list[0].function, 0x40000000u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervCpuid}},
    {.name = "count_1_is_e2big",
     .call =
         [](Ctx& t) {
           kvmapi::Cpuid list(1);
           return t.vcpu().get_supported_hv_cpuid(list);
         },
     .expect = fails(E2BIG),
     .needs = {.vm_cap = Cap::HypervCpuid}},
};
KVM_ROWS("vcpu.get_supported_hv_cpuid", "api.rst 4.118", kHyperv);

}  // namespace
}  // namespace conformance
