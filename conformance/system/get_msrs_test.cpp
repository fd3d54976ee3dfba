// KVM_GET_MSRS on /dev/kvm: values of feature MSRs, what the host can give a guest. On a vcpu:
// conformance/vcpu/msrs_test.cpp.
#include "conformance/support/msr_list_rows.hpp"

namespace conformance {
namespace {

constexpr u32 kTsc = 0x10;  // listed by KVM_GET_MSR_INDEX_LIST, but no feature MSR

struct OnSystem {
  static constexpr u32 kMsr = 0x8b;  // IA32_UCODE_REV
  static kvmapi::System& of(Ctx& t) { return t.system(); }
};
KVM_ROWS("system.get_msrs", "api.rst 4.18", kMsrListRows<OnSystem>);

constexpr IoctlCase kRows[] = {
    {.name = "msr_that_is_no_feature_msr_reads_0_or_stops_by_kernel",
     .call =
         [](Ctx& t) {
           kvmapi::Msrs list{{.index = kTsc}};
           const auto answer = t.system().get_msrs(list);
           EXPECT_EQ(list[0].data, 0u);
           return answer;
         },
     .expect = before(6, 12, succeeds(0)).then(succeeds(1)),
     .status = Abi::observed,
     .source = "kvm_do_msr_access, kvm_is_advertised_msr"},
};
KVM_ROWS("system.get_msrs", "api.rst 4.18", kRows);

}  // namespace
}  // namespace conformance
