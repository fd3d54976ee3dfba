// kvm_run.immediate_exit: KVM_RUN ends with EINTR before the guest runs. api.rst section 5: "polled once when KVM_RUN
// starts; if non-zero, KVM_RUN exits immediately, returning -EINTR". What it finishes first: completion_test.cpp. With
// a real signal: signal_test.cpp.
#include "conformance/run/threads.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr const char* kSource = "api.rst 5: immediate_exit";
constexpr Needs kNeeds = {.cap = Cap::ImmediateExit};

KVM_TEST("run.immediate_exit", "ends_run_with_eintr", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::spin, Mode::long64);
  m.page().immediate_exit = 1;
  EXPECT_THAT(m.run(), FailsWith(EINTR));
}

KVM_TEST("run.immediate_exit", "ends_run_before_any_guest_instruction", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::real);
  m.page().immediate_exit = 1;
  for (int i = 0; i < 3; ++i) ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.peek<kvmapi::u32>(guests::kData), 0u);
  EXPECT_EQ(m.regs().rip, guests::kLoad);
}

KVM_TEST("run.immediate_exit", "any_value_but_0_counts", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::spin, Mode::real);
  for (const kvmapi::u8 value : {1, 2, 0x80, 0xff}) {
    m.page().immediate_exit = value;
    EXPECT_THAT(m.run(), FailsWith(EINTR)) << int{value};
  }
}

KVM_TEST("run.immediate_exit", "stays_set_until_user_space_clears_it", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.page().immediate_exit, 1);
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  m.page().immediate_exit = 0;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
}

KVM_TEST("run.immediate_exit", "keeps_the_exit_reason_of_the_run_before", "kvm_arch_vcpu_ioctl_run",
         {.needs = kNeeds, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::Hlt);
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.reason(), Exit::Hlt);
}

KVM_TEST("run.immediate_exit", "wins_over_a_guest_that_would_exit_at_once", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::prot32);
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  m.page().immediate_exit = 0;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io);
}

// The guest waits for the host and then exits by OUT: setting the field meanwhile must not disturb that.
KVM_TEST("run.immediate_exit", "set_while_the_guest_runs_waits_for_the_next_run", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::count_until_told, Mode::long64);
  Meanwhile other([&] { return watch(m, guests::kData) > 1000; },
                  [&] {
                    m.vcpu().set_immediate_exit(true);
                    tell(m, guests::kData + 4, 1);
                  });
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_THAT(m.run(), FailsWith(EINTR));
}

// The documented way to kick a vcpu without KVM_SET_SIGNAL_MASK: a handler that sets the field.
KVM_TEST("run.immediate_exit", "set_by_a_signal_handler_ends_a_loop_of_halts", kSource, {.needs = kNeeds})(Ctx& t) {
  Machine m(t, Guest::hlt_forever, Mode::real);
  CountedSignal signal(SIGUSR1);
  signal.sets_immediate_exit_of(m.page());
  std::atomic<int> halts{0};
  const pthread_t vcpu_thread = pthread_self();
  Meanwhile kicker([&] { return halts >= 10; }, [&] { pthread_kill(vcpu_thread, SIGUSR1); });

  kvmapi::Result<int> result = 0;
  const bool ended = wait_until([&] {
    result = m.run();
    if (result.ok() && m.reason() == Exit::Hlt) ++halts;
    return !result.ok() || m.reason() != Exit::Hlt;
  });
  kicker.join();
  ASSERT_TRUE(ended);
  EXPECT_THAT(result, FailsWith(EINTR));
  EXPECT_EQ(signal.count(), 1);
}

}  // namespace
}  // namespace conformance
