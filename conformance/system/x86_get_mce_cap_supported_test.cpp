// KVM_X86_GET_MCE_CAP_SUPPORTED: which bits of MCG_CAP a guest may have.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr u64 kMcgCtlP = 1u << 8;
constexpr u64 kMcgSerP = 1u << 24;

constexpr IoctlCase kRows[] = {
    {.name = "has_ctl_p_and_ser_p",
     .call = [](Ctx& t) { return t.system().x86_get_mce_cap_supported(); },
     .expect = succeeds(),
     .check =
         [](Ctx& t) {
           const u64 supported = t.must(t.system().x86_get_mce_cap_supported());
           EXPECT_EQ(supported & (kMcgCtlP | kMcgSerP), kMcgCtlP | kMcgSerP) << fmt::format("{:#x}", supported);
         },
     .status = Abi::observed,
     .source = "kvm_mce_cap_supported"},
    {.name = "names_no_bank_count",
     .call = [](Ctx& t) { return t.system().x86_get_mce_cap_supported(); },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.system().x86_get_mce_cap_supported()) & 0xff, 0u); },
     .status = Abi::observed,
     .source = "kvm_mce_cap_supported"},
};
KVM_ROWS("system.x86_get_mce_cap_supported", "api.rst 4.104", kRows);

}  // namespace
}  // namespace conformance
