// KVM_GET_CLOCK, KVM_SET_CLOCK, and KVM_SET_TSC_KHZ, KVM_GET_TSC_KHZ of a VM.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_clock_data;

constexpr IoctlCase kSetClock[] = {
    {.name = "no_flags_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_clock({.clock = 1000}); },
     .expect = succeeds(0)},
    {.name = "flag_1_is_einval",
     .call = [](Ctx& t) { return t.vm().set_clock({.flags = 1}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().set_clock({.flags = 0x10}); },
     .expect = fails(EINVAL)},
    {.name = "tsc_stable_flag_is_accepted_from_5_16",
     .call = [](Ctx& t) { return t.vm().set_clock({.flags = kvmapi::kClockTscStable}); },
     .expect = before(5, 16, fails(EINVAL)).then(succeeds(0)),
     .status = Abi::observed},
    {.name = "what_was_read_is_accepted",
     .call = [](Ctx& t) { return t.vm().set_clock(t.must(t.vm().get_clock())); },
     .expect = succeeds(0),
     .needs = {.kernel = {5, 16}}},
    {.name = "works_before_and_after_a_vcpu",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().set_clock({.clock = 5000});
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vm.set_clock", "api.rst 4.30", kSetClock);

KVM_TEST("vm.get_clock", "runs_on_from_the_value_that_was_set", "api.rst 4.29, 4.30")(Ctx& t) {
  constexpr u64 kStart = 1000ull * 1000 * 1000 * 1000;
  t.must(t.vm().set_clock({.clock = kStart}));
  const u64 clock = t.must(t.vm().get_clock()).clock;
  EXPECT_GE(clock, kStart);
  EXPECT_LT(clock, kStart + 20ull * 1000 * 1000 * 1000) << "more than 20 s have passed";
}

KVM_TEST("vm.get_clock", "never_runs_backwards", "api.rst 4.29")(Ctx& t) {
  u64 last = 0;
  for (int i = 0; i < 100; ++i) {
    const u64 now = t.must(t.vm().get_clock()).clock;
    EXPECT_GE(now, last);
    last = now;
  }
}

KVM_TEST("vm.get_clock", "flags_are_a_subset_of_adjust_clock", "api.rst 4.29")(Ctx& t) {
  const u32 known = static_cast<u32>(t.must(t.system().check_extension(Cap::AdjustClock)));
  const kvm_clock_data clock = t.must(t.vm().get_clock());
  EXPECT_EQ(clock.flags & ~known, 0u);
}

KVM_TEST("vm.get_clock", "padding_is_zero", "api.rst 4.29", {.status = Abi::sane})(Ctx& t) {
  kvm_clock_data clock;
  std::memset(&clock, kPoison, sizeof clock);
  t.must(t.vm().raw(Ioctl::GetClock, &clock));
  EXPECT_EQ(clock.pad0, 0u);
  EXPECT_EQ(clock.pad, (std::array<u32, 4>{}));
}

KVM_TEST("vm.get_clock", "each_vm_has_a_clock_of_its_own", "api.rst 4.29")(Ctx& t) {
  kvmapi::Vm other = t.new_vm();
  t.must(t.vm().set_clock({.clock = 1ull << 60}));
  EXPECT_LT(t.must(other.get_clock()).clock, 1ull << 59);
}

KVM_TEST("vm.set_clock", "realtime_adds_the_time_since_then", "api.rst 4.30", {.needs = {.kernel = {5, 16}}})
(Ctx& t) {
  const kvm_clock_data now = t.must(t.vm().get_clock());
  if ((now.flags & kvmapi::kClockRealtime) == 0) t.skip("the host clock source gives no KVM_CLOCK_REALTIME");
  constexpr u64 kSecond = 1000ull * 1000 * 1000;
  t.must(t.vm().set_clock(
      {.clock = 100 * kSecond, .flags = kvmapi::kClockRealtime, .realtime = now.realtime - 50 * kSecond}));
  const u64 clock = t.must(t.vm().get_clock()).clock;
  EXPECT_GE(clock, 150 * kSecond);
  EXPECT_LT(clock, 180 * kSecond);
}

constexpr IoctlCase kSetTsc[] = {
    {.name = "before_5_18_is_enotty",
     .call = [](Ctx& t) { return t.vm().set_tsc_khz(0); },
     .expect = fails(ENOTTY),
     .needs = {.kernel_before = {5, 18}},
     .status = Abi::observed},
    {.name = "rate_0_means_the_host_rate",
     .call = [](Ctx& t) { return t.vm().set_tsc_khz(0); },
     .expect = succeeds(0),
     .needs = {.kernel = {5, 18}},
     .status = Abi::observed},
    {.name = "after_a_vcpu_is_einval_from_6_17",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().set_tsc_khz(0);
         },
     .expect = before(6, 17, succeeds(0)).then(fails(EINVAL)),
     .needs = {.kernel = {5, 18}}},
};
KVM_ROWS("vm.set_tsc_khz", "api.rst 4.55", kSetTsc);

KVM_TEST("vm.get_tsc_khz", "is_the_rate_of_new_vcpus", "api.rst 4.56", {.needs = {.kernel = {5, 18}}})(Ctx& t) {
  t.must(t.vm().set_tsc_khz(0));
  EXPECT_EQ(t.must(t.vm().get_tsc_khz()), t.must(t.vcpu().get_tsc_khz()));
}

KVM_TEST("vm.get_tsc_khz", "is_not_0", "api.rst 4.56", {.needs = {.kernel = {5, 18}}})(Ctx& t) {
  EXPECT_GT(t.must(t.vm().get_tsc_khz()), 0);
}

}  // namespace
}  // namespace conformance
