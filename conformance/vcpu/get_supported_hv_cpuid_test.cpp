// KVM_GET_SUPPORTED_HV_CPUID on a vcpu. On /dev/kvm: conformance/system/cpuid_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

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
