// KVM_ENABLE_CAP on a vcpu, capability by capability. On a VM: conformance/vm/enable_cap_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kEnable[] = {
    {.name = "unknown_capability_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(kvmapi::kvm_enable_cap{.cap = 0xdeadbeef}); },
     .expect = fails(EINVAL)},
    {.name = "capability_of_a_vm_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::ExceptionPayload, 1); },
     .expect = fails(EINVAL)},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           return t.vcpu().enable_cap(
               kvmapi::kvm_enable_cap{.cap = static_cast<u32>(Cap::EnforcePvFeatureCpuid), .flags = 1});
         },
     .expect = fails(EINVAL)},
    {.name = "enforce_pv_feature_cpuid_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::EnforcePvFeatureCpuid, 1); },
     .expect = succeeds(0),
     .source = "api.rst 6.80"},
    {.name = "enforce_pv_feature_cpuid_off_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::EnforcePvFeatureCpuid, 0); },
     .expect = succeeds(0),
     .source = "api.rst 6.80"},
    {.name = "hyperv_synic_without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervSynic); },
     .expect = fails(EINVAL),
     .source = "api.rst 6.76"},
    {.name = "hyperv_synic_with_irqchip_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().enable_cap(Cap::HypervSynic);
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervSynic},
     .source = "api.rst 6.76"},
    {.name = "hyperv_synic2_argument_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().enable_cap(Cap::HypervSynic2, 1);
         },
     .expect = fails(EINVAL),
     .source = "api.rst 6.77"},
    {.name = "hyperv_enforce_cpuid_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervEnforceCpuid, 1); },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEnforceCpuid},
     .source = "api.rst 6.79"},
    {.name = "hyperv_direct_tlb_flush_outside_hyperv_is_enotty",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::HypervDirectTlbflush)) != 0) t.skip("KVM runs on Hyper-V");
           return t.vcpu().enable_cap(Cap::HypervDirectTlbflush);
         },
     .expect = fails(ENOTTY),
     .needs = {.vm_cap = Cap::Hyperv},
     .source = "api.rst 6.78"},
    {.name = "hyperv_enlightened_vmcs_on_svm_is_enotty",
     .call = [](Ctx& t) { return t.vcpu().enable_cap(Cap::HypervEnlightenedVmcs); },
     .expect = fails(ENOTTY),
     .needs = {.vm_cap = Cap::Hyperv, .vendor = Vendor::amd},
     .source = "kvm_vcpu_ioctl_enable_cap"},
};
KVM_ROWS("vcpu.enable_cap", "api.rst 4.37", kEnable);

}  // namespace
}  // namespace conformance
