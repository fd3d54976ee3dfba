// KVM_GET_MP_STATE, KVM_SET_MP_STATE.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

template <u32 kState, bool kIrqchip>
constexpr Call kSet = [](Ctx& t) {
  if (kIrqchip) t.must(t.vm().create_irqchip());
  return t.vcpu().set_mp_state({kState});
};
template <u32 kState>
constexpr Step kReads = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_mp_state()).mp_state, kState); };

constexpr IoctlCase kRows[] = {
    {.name = "runnable_without_irqchip_is_accepted",
     .call = kSet<kvmapi::kMpStateRunnable, false>,
     .expect = succeeds(0)},
    {.name = "halted_without_irqchip_is_einval",
     .call = kSet<kvmapi::kMpStateHalted, false>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "uninitialized_without_irqchip_is_einval",
     .call = kSet<kvmapi::kMpStateUninitialized, false>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "init_received_without_irqchip_is_einval",
     .call = kSet<kvmapi::kMpStateInitReceived, false>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "runnable_is_read_back",
     .call = kSet<kvmapi::kMpStateRunnable, true>,
     .expect = succeeds(0),
     .check = kReads<kvmapi::kMpStateRunnable>},
    {.name = "halted_is_read_back",
     .call = kSet<kvmapi::kMpStateHalted, true>,
     .expect = succeeds(0),
     .check = kReads<kvmapi::kMpStateHalted>},
    {.name = "uninitialized_is_read_back",
     .call = kSet<kvmapi::kMpStateUninitialized, true>,
     .expect = succeeds(0),
     .check = kReads<kvmapi::kMpStateUninitialized>},
    {.name = "init_received_is_read_back",
     .call = kSet<kvmapi::kMpStateInitReceived, true>,
     .expect = succeeds(0),
     .check = kReads<kvmapi::kMpStateInitReceived>},
    {.name = "sipi_received_is_accepted", .call = kSet<kvmapi::kMpStateSipiReceived, true>, .expect = succeeds(0)},
    {.name = "ap_reset_hold_is_accepted",
     .call = kSet<kvmapi::kMpStateApResetHold, true>,
     .expect = before(5, 14, Outcome{}).then(succeeds(0)),
     .status = Abi::observed},
    {.name = "state_of_s390_is_einval_after_5_10",
     .call = kSet<kvmapi::kMpStateStopped, true>,
     .expect = before(5, 11, succeeds(0)).then(before(6, 1, Outcome{}).then(fails(EINVAL)))},
    {.name = "unknown_state_is_einval_after_5_10",
     .call = kSet<0x1234, true>,
     .expect = before(5, 11, succeeds(0)).then(before(6, 1, Outcome{}).then(fails(EINVAL)))},
};
KVM_ROWS("vcpu.set_mp_state", "api.rst 4.39", kRows);

KVM_TEST("vcpu.get_mp_state", "without_irqchip_every_vcpu_is_runnable", "api.rst 4.38")(Ctx& t) {
  auto second = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(t.vcpu().get_mp_state()).mp_state, kvmapi::kMpStateRunnable);
  EXPECT_EQ(t.must(second.get_mp_state()).mp_state, kvmapi::kMpStateRunnable);
}

KVM_TEST("vcpu.get_mp_state", "with_irqchip_only_the_bootstrap_processor_starts_runnable", "api.rst 4.38")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto second = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(t.vcpu().get_mp_state()).mp_state, kvmapi::kMpStateRunnable);
  EXPECT_EQ(t.must(second.get_mp_state()).mp_state, kvmapi::kMpStateUninitialized);
}

KVM_TEST("vcpu.set_mp_state", "refused_state_changes_nothing", "api.rst 4.39", {.needs = {.kernel = {6, 1}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vcpu().set_mp_state({kvmapi::kMpStateHalted}));
  EXPECT_THAT(t.vcpu().set_mp_state({0x1234}), FailsWith(EINVAL));
  EXPECT_EQ(t.must(t.vcpu().get_mp_state()).mp_state, kvmapi::kMpStateHalted);
}

}  // namespace
}  // namespace conformance
