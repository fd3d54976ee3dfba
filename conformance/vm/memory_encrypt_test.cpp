// KVM_MEMORY_ENCRYPT_OP, KVM_MEMORY_ENCRYPT_REG_REGION, KVM_MEMORY_ENCRYPT_UNREG_REGION on a host without encryption.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr Probe kNoSev{"a host without SEV and TDX", [](Ctx& t) {
                         const auto answer = t.vm().memory_encrypt_op(nullptr);
                         return !answer.ok() && answer.error().value() == ENOTTY;
                       }};
constexpr IoctlCase kEncrypt[] = {
    {.name = "reg_region_on_a_plain_host_is_enotty",
     .call = [](Ctx& t) { return t.vm().memory_encrypt_reg_region({}); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "api.rst 4.111"},
    {.name = "unreg_region_on_a_plain_host_is_enotty",
     .call = [](Ctx& t) { return t.vm().memory_encrypt_unreg_region({}); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "api.rst 4.112"},
    {.name = "vcpu_form_on_a_plain_host_by_kernel",
     .call = [](Ctx& t) { return t.vcpu().memory_encrypt_op(nullptr); },
     .expect = before(6, 13, fails(EINVAL)).then(before(7, 0, Outcome{}).then(fails(ENOTTY))),
     .needs = {.probe = kNoSev},
     .status = Abi::observed,
     .source = "kvm_arch_vcpu_ioctl"},
};
KVM_ROWS("vm.memory_encrypt_op", "api.rst 4.110", kEncrypt);

}  // namespace
}  // namespace conformance
