// KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ, KVM_KVMCLOCK_CTRL of a vcpu.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kTsc[] = {
    {.name = "rate_0_means_the_host_rate",
     .call = [](Ctx& t) { return t.vcpu().set_tsc_khz(0); },
     .expect = succeeds(0)},
    {.name = "rate_that_the_vcpu_has_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_tsc_khz(static_cast<u32>(t.must(t.vcpu().get_tsc_khz()))); },
     .expect = before(6, 1, Outcome{}).then(succeeds(0)),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_tsc_khz", "api.rst 4.55", kTsc);

KVM_TEST("vcpu.get_tsc_khz", "is_not_0", "api.rst 4.56")(Ctx& t) { EXPECT_GT(t.must(t.vcpu().get_tsc_khz()), 0); }

constexpr IoctlCase kClockCtrl[] = {
    {.name = "guest_without_kvmclock_is_einval",
     .call = [](Ctx& t) { return t.vcpu().kvmclock_ctrl(); },
     .expect = fails(EINVAL)},
    {.name = "guest_with_kvmclock_is_accepted",
     .call =
         [](Ctx& t) {
           t.memory();
           t.must(t.vcpu().set_msr(0x4b564d01, 0x3001));
           return t.vcpu().kvmclock_ctrl();
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vcpu.kvmclock_ctrl", "api.rst 4.70", kClockCtrl);

}  // namespace
}  // namespace conformance
