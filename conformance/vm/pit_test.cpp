// KVM_CREATE_PIT(2), KVM_GET_PIT(2), KVM_SET_PIT(2), KVM_REINJECT_CONTROL: the 8254 timer in the kernel.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr auto kNotBetween = before(6, 2, succeeds(0)).then(before(6, 12, Outcome{}).then(fails(ENOENT)));

void with_pit(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vm().create_pit2());
}

constexpr IoctlCase kCreate2[] = {
    {.name = "after_irqchip_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_pit2();
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit2}},
    {.name = "without_irqchip_is_enoent",
     .call = [](Ctx& t) { return t.vm().create_pit2(); },
     .expect = kNotBetween,
     .needs = {.cap = Cap::Pit2},
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl"},
    {.name = "twice_is_eexist",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().create_pit2();
         },
     .expect = fails(EEXIST),
     .needs = {.cap = Cap::Pit2},
     .status = Abi::observed},
    {.name = "after_the_old_form_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.must(t.vm().create_pit());
           return t.vm().create_pit2();
         },
     .expect = fails(EEXIST),
     .needs = {.cap = Cap::Pit2},
     .status = Abi::observed},
    {.name = "speaker_dummy_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_pit2({.flags = kvmapi::kPitSpeakerDummy});
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit2}},
    {.name = "unknown_flags_are_ignored",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_pit2({.flags = 0xfffffffe});
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit2},
     .status = Abi::observed},
    {.name = "works_after_a_vcpu",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.vcpu();
           return t.vm().create_pit2();
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit2},
     .status = Abi::observed},
};
KVM_ROWS("vm.create_pit2", "api.rst 4.71", kCreate2);

constexpr IoctlCase kCreate[] = {
    {.name = "after_irqchip_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_pit();
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
    {.name = "without_irqchip_is_enoent",
     .call = [](Ctx& t) { return t.vm().create_pit(); },
     .expect = kNotBetween,
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
    {.name = "twice_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.must(t.vm().create_pit());
           return t.vm().create_pit();
         },
     .expect = fails(EEXIST),
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
};
KVM_ROWS("vm.create_pit", "kvm_arch_vm_ioctl (not in api.rst)", kCreate);

constexpr IoctlCase kGet2[] = {
    {.name = "without_pit_is_enxio",
     .call = [](Ctx& t) { return t.vm().get_pit2(); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::PitState2},
     .status = Abi::observed},
    {.name = "with_pit_is_accepted",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().get_pit2();
         },
     .expect = succeeds(),
     .needs = {.cap = Cap::PitState2}},
    {.name = "missing_pit_wins_over_bad_pointer",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::GetPit2, 8); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::PitState2},
     .status = Abi::observed},
    {.name = "gate_of_channel_2_only_is_closed_at_start",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().get_pit2();
         },
     .expect = succeeds(),
     .needs = {.cap = Cap::PitState2},
     .check =
         [](Ctx& t) {
           const auto pit = t.must(t.vm().get_pit2());
           EXPECT_EQ(pit.channels[0].gate, 1);
           EXPECT_EQ(pit.channels[1].gate, 1);
           EXPECT_EQ(pit.channels[2].gate, 0);
         },
     .status = Abi::observed,
     .source = "kvm_pit_reset_channel"},
};
KVM_ROWS("vm.get_pit2", "api.rst 4.72", kGet2);

constexpr IoctlCase kSet2[] = {
    {.name = "without_pit_is_enxio",
     .call = [](Ctx& t) { return t.vm().set_pit2({}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::PitState2},
     .status = Abi::observed},
    {.name = "bad_pointer_wins_over_missing_pit",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::SetPit2, 8); },
     .expect = fails(EFAULT),
     .needs = {.cap = Cap::PitState2},
     .status = Abi::observed},
    {.name = "what_was_read_is_accepted",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().set_pit2(t.must(t.vm().get_pit2()));
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::PitState2}},
};
KVM_ROWS("vm.set_pit2", "api.rst 4.73", kSet2);

constexpr IoctlCase kOld[] = {
    {.name = "without_pit_is_enxio",
     .call = [](Ctx& t) { return t.vm().get_pit(); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
    {.name = "shows_the_channels_of_the_new_form",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().get_pit();
         },
     .expect = succeeds(),
     .needs = {.cap = Cap::Pit},
     .check =
         [](Ctx& t) {
           const auto old_form = t.must(t.vm().get_pit());
           const auto new_form = t.must(t.vm().get_pit2());
           EXPECT_TRUE(same_bytes(old_form.channels, new_form.channels));
         },
     .status = Abi::observed},
};
KVM_ROWS("vm.get_pit", "kvm_arch_vm_ioctl (not in api.rst)", kOld);

constexpr IoctlCase kOldSet[] = {
    {.name = "without_pit_is_enxio",
     .call = [](Ctx& t) { return t.vm().set_pit({}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
    {.name = "what_was_read_is_accepted",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().set_pit(t.must(t.vm().get_pit()));
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::Pit},
     .status = Abi::observed},
};
KVM_ROWS("vm.set_pit", "kvm_arch_vm_ioctl (not in api.rst)", kOldSet);

constexpr IoctlCase kReinject[] = {
    {.name = "without_pit_is_enxio",
     .call = [](Ctx& t) { return t.vm().reinject_control({}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::ReinjectControl}},
    {.name = "off_is_accepted",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().reinject_control({.pit_reinject = 0});
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::ReinjectControl}},
    {.name = "on_is_accepted",
     .call =
         [](Ctx& t) {
           with_pit(t);
           return t.vm().reinject_control({.pit_reinject = 1});
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::ReinjectControl}},
};
KVM_ROWS("vm.reinject_control", "api.rst 4.99", kReinject);

KVM_TEST("vm.set_pit2", "channel_state_is_read_back", "api.rst 4.73", {.needs = {.cap = Cap::PitState2}})(Ctx& t) {
  with_pit(t);
  auto pit = t.must(t.vm().get_pit2());
  pit.channels[2].mode = 3;
  pit.channels[2].rw_mode = 3;
  pit.channels[2].bcd = 1;
  pit.channels[2].latched_count = 0x1234;
  pit.channels[2].count = 0x4321;
  t.must(t.vm().set_pit2(pit));
  const auto got = t.must(t.vm().get_pit2());
  EXPECT_EQ(got.channels[2].mode, 3);
  EXPECT_EQ(got.channels[2].rw_mode, 3);
  EXPECT_EQ(got.channels[2].bcd, 1);
  EXPECT_EQ(got.channels[2].latched_count, 0x1234);
  EXPECT_EQ(got.channels[2].count, 0x4321u);
}

KVM_TEST("vm.set_pit2", "hpet_legacy_flag_is_read_back", "api.rst 4.72", {.needs = {.cap = Cap::PitState2}})(Ctx& t) {
  with_pit(t);
  auto pit = t.must(t.vm().get_pit2());
  EXPECT_EQ(pit.flags & kvmapi::kPitFlagsHpetLegacy, 0u);
  pit.flags = kvmapi::kPitFlagsHpetLegacy;
  t.must(t.vm().set_pit2(pit));
  EXPECT_EQ(t.must(t.vm().get_pit2()).flags & kvmapi::kPitFlagsHpetLegacy, kvmapi::kPitFlagsHpetLegacy);
}

}  // namespace
}  // namespace conformance
