// Signals and KVM_RUN: an unblocked signal, pending or arriving, ends it with EINTR and KVM_EXIT_INTR, its handler
// runs, and none gets lost. api.rst 4.10 (EINTR: an unmasked signal is pending), 4.20 (KVM_SET_SIGNAL_MASK), section 5.
#include "conformance/run/threads.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::SignalMask;
constexpr const char* kRun = "api.rst 4.10: KVM_RUN";
constexpr const char* kMask = "api.rst 4.20: KVM_SET_SIGNAL_MASK";

// The kernel's sigset_t: 8 bytes.
SignalMask mask_without_signals() { return SignalMask(8); }
SignalMask mask_with(int signal) {
  SignalMask mask(8);
  mask[(signal - 1) / 8] = static_cast<kvmapi::u8>(1u << ((signal - 1) % 8));
  return mask;
}

std::function<void()> kick(int signal) {
  return [thread = pthread_self(), signal] { pthread_kill(thread, signal); };
}

// By another thread, once the guest has shown through memory that it runs.
void expect_kick_ends_a_running_guest(Ctx& t, Mode mode, int handler_flags) {
  Machine m(t, Guest::count_forever, mode);
  CountedSignal signal(SIGUSR1, handler_flags);
  Meanwhile kicker([&] { return watch(m, guests::kData) > 1000; }, kick(SIGUSR1));
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_FALSE(kicker.is_late());
  EXPECT_EQ(m.reason(), Exit::Intr);
  EXPECT_EQ(signal.count(), 1);
}

KVM_TEST("run.signal", "ends_a_running_real_mode_guest_with_eintr", kRun)(Ctx& t) {
  expect_kick_ends_a_running_guest(t, Mode::real, 0);
}
KVM_TEST("run.signal", "ends_a_running_protected_mode_guest_with_eintr", kRun)(Ctx& t) {
  expect_kick_ends_a_running_guest(t, Mode::paged32, 0);
}
KVM_TEST("run.signal", "ends_a_running_long_mode_guest_with_eintr", kRun)(Ctx& t) {
  expect_kick_ends_a_running_guest(t, Mode::long64, 0);
}
KVM_TEST("run.signal", "ends_run_even_if_its_handler_restarts_system_calls", kRun)(Ctx& t) {
  expect_kick_ends_a_running_guest(t, Mode::long64, SA_RESTART);
}

KVM_TEST("run.signal", "guest_goes_on_where_it_was", kRun)(Ctx& t) {
  Machine m(t, Guest::count_until_told, Mode::long64);
  CountedSignal signal(SIGUSR1);
  Meanwhile kicker([&] { return watch(m, guests::kData) > 1000; }, kick(SIGUSR1));
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  ASSERT_FALSE(kicker.is_late());
  const kvmapi::u32 count = watch(m, guests::kData);
  tell(m, guests::kData + 4, 1);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_LE(watch(m, guests::kData) - count, 1u) << "the guest had at most one more pass to make";
}

KVM_TEST("run.signal", "blocked_one_does_not_end_run", kRun)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  BlockedSignal blocked(SIGUSR1);
  raise(SIGUSR1);
  EXPECT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
  EXPECT_TRUE(blocked.is_pending());
}

KVM_TEST("run.signal", "ignored_one_does_not_end_run", kRun)(Ctx& t) {
  Machine m(t, Guest::count_until_told, Mode::long64);
  Meanwhile other([&] { return watch(m, guests::kData) > 1000; },
                  [&, thread = pthread_self()] {
                    pthread_kill(thread, SIGWINCH);  // ignored by default
                    tell(m, guests::kData + 4, 1);
                  });
  EXPECT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Io);
}

// The first run of a vcpu sets up what later ones find: a signal in the middle of that is still only EINTR.
KVM_TEST("run.signal", "storm_during_first_runs_gives_eintr_or_an_exit", kRun)(Ctx& t) {
  CountedSignal signal(SIGUSR1);
  std::atomic<bool> is_over{false};
  std::thread storm([&, thread = pthread_self()] {
    while (!is_over) {
      pthread_kill(thread, SIGUSR1);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 20; ++i) {
    Ctx fresh(t.target());
    // KVM_CREATE_VM itself may end with EINTR under a storm.
    auto vm = fresh.system().create_vm();
    while (!vm.ok() && vm.error().value() == EINTR) vm = fresh.system().create_vm();
    if (!vm.ok()) break;
    auto vcpu = vm->create_vcpu(0);
    if (!vcpu.ok()) break;
    HostPages page(kvmapi::kPageSize);
    page.data()[0] = 0xf4;  // hlt
    (void)vm->set_user_memory_region(slot(0).gpa(0x1000).host(page.data()));
    auto sregs = vcpu->get_sregs();
    sregs->cs.base = 0, sregs->cs.selector = 0;
    (void)vcpu->set_sregs(*sregs);
    (void)vcpu->set_regs({.rip = 0x1000, .rflags = 2});
    const bool halted = wait_until([&] {
      const auto result = vcpu->run();
      if (result.ok()) return true;
      EXPECT_THAT(result, FailsWith(EINTR));
      return false;
    });
    EXPECT_TRUE(halted);
    EXPECT_EQ(vcpu->exit_reason(), Exit::Hlt);
  }
  is_over = true;
  storm.join();
}

// Blocked outside, open inside KVM_RUN: the way to kick a vcpu that loses no signal.
KVM_TEST("run.signal_mask", "opens_a_signal_that_is_pending", kMask)(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::real);
  CountedSignal signal(SIGUSR1);
  BlockedSignal blocked(SIGUSR1);
  const SignalMask mask = mask_without_signals();
  t.must(m.vcpu().set_signal_mask(&mask));
  raise(SIGUSR1);
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.reason(), Exit::Intr);
  EXPECT_EQ(m.peek<kvmapi::u32>(guests::kData), 0u) << "no guest instruction ran";
}

KVM_TEST("run.signal_mask", "leaves_the_signal_pending_for_the_thread", kMask)(Ctx& t) {
  Machine m(t, Guest::spin, Mode::real);
  CountedSignal signal(SIGUSR1);
  BlockedSignal blocked(SIGUSR1);
  const SignalMask mask = mask_without_signals();
  t.must(m.vcpu().set_signal_mask(&mask));
  raise(SIGUSR1);
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(signal.count(), 0) << "delivered only if not blocked by the original mask";
  EXPECT_TRUE(blocked.take());
}

KVM_TEST("run.signal_mask", "ends_a_running_guest", kMask)(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64);
  BlockedSignal blocked(SIGUSR1);
  CountedSignal signal(SIGUSR1);
  const SignalMask mask = mask_without_signals();
  t.must(m.vcpu().set_signal_mask(&mask));
  Meanwhile kicker([&] { return watch(m, guests::kData) > 1000; }, kick(SIGUSR1));
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_FALSE(kicker.is_late());
  EXPECT_EQ(m.reason(), Exit::Intr);
  EXPECT_EQ(signal.count(), 0);
  EXPECT_TRUE(blocked.is_pending());
}

KVM_TEST("run.signal_mask", "closes_a_signal_that_the_thread_takes", kMask)(Ctx& t) {
  Machine m(t, Guest::count_until_told, Mode::long64);
  CountedSignal signal(SIGUSR1);
  const SignalMask mask = mask_with(SIGUSR1);
  t.must(m.vcpu().set_signal_mask(&mask));
  Meanwhile other([&] { return watch(m, guests::kData) > 1000; },
                  [&, thread = pthread_self()] {
                    pthread_kill(thread, SIGUSR1);
                    tell(m, guests::kData + 4, 1);
                  });
  EXPECT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_EQ(signal.count(), 1) << "delivered after KVM_RUN has put the thread's mask back";
}

KVM_TEST("run.signal_mask", "is_taken_away_by_a_null_pointer", kMask)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  BlockedSignal blocked(SIGUSR1);
  const SignalMask mask = mask_without_signals();
  t.must(m.vcpu().set_signal_mask(&mask));
  t.must(m.vcpu().set_signal_mask(nullptr));
  raise(SIGUSR1);
  EXPECT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
}

constexpr int kMoments = 200;

// Signals the thread that made it once for each round, at moments spread over the whole of a loop of runs: before, in
// and after KVM_RUN, and while the guest runs.
class MomentKicker {
 public:
  explicit MomentKicker(int signal)
      : thread_([this, signal, target = pthread_self()] {
          for (int round = 1; round <= kMoments && !gave_up_; ++round) {
            if (!wait_until([&] { return started_ >= round; })) gave_up_ = true;
            for (volatile int delay = (round * 7919) % 5000; delay > 0;) delay = delay - 1;
            pthread_kill(target, signal);
          }
        }) {}
  ~MomentKicker() { finish(); }
  MomentKicker(const MomentKicker&) = delete;
  MomentKicker& operator=(const MomentKicker&) = delete;

  void start(int round) { started_ = round; }
  bool gave_up() const { return gave_up_; }
  // Lets the thread end; false if a round did not start in time.
  bool finish() {
    started_ = kMoments;
    if (thread_.joinable()) thread_.join();
    return !gave_up_;
  }

 private:
  std::atomic<int> started_{0};
  std::atomic<bool> gave_up_{false};
  std::thread thread_;
};

KVM_TEST("run.signal", "at_any_moment_ends_a_run_when_its_handler_sets_immediate_exit", "api.rst 5: immediate_exit",
         {.needs = {.cap = Cap::ImmediateExit}})
(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64);
  CountedSignal signal(SIGUSR1);
  signal.sets_immediate_exit_of(m.page());
  MomentKicker kicker(SIGUSR1);
  for (int i = 1; i <= kMoments && !kicker.gave_up(); ++i) {
    m.page().immediate_exit = 0;
    kicker.start(i);
    EXPECT_THAT(m.run(), FailsWith(EINTR));
    // EINTR by the signal itself may be seen before its handler: the handler has run when the call is back.
    EXPECT_EQ(signal.count(), i);
    if (signal.count() != i) break;
  }
  EXPECT_TRUE(kicker.finish());
}

KVM_TEST("run.signal_mask", "loses_no_signal_at_any_moment", kMask)(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64);
  CountedSignal signal(SIGUSR1);
  BlockedSignal blocked(SIGUSR1);
  const SignalMask mask = mask_without_signals();
  t.must(m.vcpu().set_signal_mask(&mask));
  MomentKicker kicker(SIGUSR1);
  for (int i = 1; i <= kMoments && !kicker.gave_up(); ++i) {
    kicker.start(i);
    EXPECT_THAT(m.run(), FailsWith(EINTR));
    EXPECT_EQ(m.reason(), Exit::Intr);
    EXPECT_TRUE(blocked.take()) << "after run " << i;
  }
  EXPECT_TRUE(kicker.finish());
}

}  // namespace
}  // namespace conformance
