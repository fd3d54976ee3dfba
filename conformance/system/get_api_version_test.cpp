// KVM_GET_API_VERSION: the number that says that all "basic" ioctls are there.
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kRows[] = {
    {.name = "returns_12", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(12)},
    {.name = "argument_that_is_not_zero_is_einval",
     .call = [](Ctx& t) { return t.system().raw(Ioctl::GetApiVersion, 1); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_dev_ioctl"},
    {.name = "is_the_same_while_a_vm_exists",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.system().get_api_version();
         },
     .expect = succeeds(12)},
};
KVM_ROWS("system.get_api_version", "api.rst 4.1", kRows);

}  // namespace
}  // namespace conformance
