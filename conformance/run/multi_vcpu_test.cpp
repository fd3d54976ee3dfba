// Several vcpus of one VM in threads of their own, sharing guest memory; and MP states. api.rst 4.7
// (KVM_CREATE_VCPU), 4.38 (KVM_GET_MP_STATE).
#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using kvmapi::Exit;
using kvmapi::u32;

constexpr u32 kRunnable = kvmapi::kMpStateRunnable, kUninitialized = kvmapi::kMpStateUninitialized;
constexpr u32 kHalted = kvmapi::kMpStateHalted;

u32 mp_state(const Machine& m) { return m.t.must(m.vcpu().get_mp_state()).mp_state; }

KVM_TEST("run.vcpus", "two_run_at_once_and_share_memory", "api.rst 4.7")(Ctx& t) {
  Machine first(t, Guest::count_until_told, Mode::long64);
  kvmapi::Vcpu vcpu = t.must(t.vm().create_vcpu(1));
  // The second guest's code lies behind the first's.
  const auto code = guests::code(Guest::count_until_told_second, Mode::long64);
  std::copy(code.begin(), code.end(), first.host(guests::kLoad + 0x800));
  Machine second(first, vcpu, Guest::count_until_told_second,
                 {.rsp = guests::kStackTop - 0x800, .rip = guests::kLoad + 0x800});

  kvmapi::Result<int> second_result = 0;
  std::thread other([&] { second_result = second.run(); });
  // Each is released only after both have counted.
  Meanwhile release([&] { return watch(first, kData) > 100 && watch(first, kData + 8) > 100; },
                    [&] {
                      tell(first, kData + 4, 1);
                      tell(first, kData + 12, 1);
                    });
  const auto first_result = first.run();
  other.join();
  EXPECT_FALSE(release.is_late());
  EXPECT_THAT(first_result, Returns(0));
  EXPECT_THAT(second_result, Returns(0));
  EXPECT_EQ(first.page().exit.as<kvmapi::kvm_exit_io>().port, 0x10);
  EXPECT_EQ(second.page().exit.as<kvmapi::kvm_exit_io>().port, 0x11);
}

KVM_TEST("run.vcpus", "have_registers_of_their_own", "api.rst 4.7")(Ctx& t) {
  Machine first(t, Guest::hlt_forever, Mode::long64, {.rbx = 1});
  kvmapi::Vcpu vcpu = t.must(t.vm().create_vcpu(1));
  Machine second(first, vcpu, Guest::hlt_forever, {.rbx = 2});
  ASSERT_THAT(first.run(), Returns(0));
  ASSERT_THAT(second.run(), Returns(0));
  EXPECT_EQ(first.regs().rbx, 1u);
  EXPECT_EQ(second.regs().rbx, 2u);
}

KVM_TEST("run.vcpus", "one_can_be_run_by_another_thread_than_made_it", "api.rst 4.10", {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::out_hlt_forever, Mode::long64);
  ASSERT_THAT(m.run(), Returns(0));
  kvmapi::Result<int> result = kvmapi::err(EIO);
  std::thread other([&] { result = m.run(); });
  other.join();
  EXPECT_THAT(result, Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
}

KVM_TEST("run.vcpus", "signal_to_one_leaves_the_other_running", "api.rst 4.10")(Ctx& t) {
  Machine first(t, Guest::count_forever, Mode::long64);
  kvmapi::Vcpu vcpu = t.must(t.vm().create_vcpu(1));
  const auto code = guests::code(Guest::count_until_told_second, Mode::long64);
  std::copy(code.begin(), code.end(), first.host(guests::kLoad + 0x800));
  Machine second(first, vcpu, Guest::count_until_told_second, {.rip = guests::kLoad + 0x800});

  CountedSignal signal(SIGUSR1);
  kvmapi::Result<int> second_result = 0;
  std::thread other([&] { second_result = second.run(); });
  Meanwhile kicker([&] { return watch(first, kData) > 100 && watch(first, kData + 8) > 100; },
                   [thread = pthread_self()] { pthread_kill(thread, SIGUSR1); });
  EXPECT_THAT(first.run(), FailsWith(EINTR));
  EXPECT_TRUE(wait_for_progress(first, kData + 8)) << "the second one goes on";
  tell(first, kData + 12, 1);
  other.join();
  EXPECT_THAT(second_result, Returns(0));
  EXPECT_FALSE(kicker.is_late());
}

KVM_TEST("run.mp_state", "without_irqchip_every_vcpu_is_runnable", "api.rst 4.38", {.needs = {.cap = Cap::MpState}})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  EXPECT_EQ(mp_state(m), kRunnable);
  kvmapi::Vcpu other = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(other.get_mp_state()).mp_state, kRunnable);
}

KVM_TEST("run.mp_state", "with_irqchip_only_the_first_vcpu_is_runnable", "api.rst 4.38",
         {.needs = {.cap = {Cap::MpState, Cap::Irqchip}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::hlt, Mode::real);
  EXPECT_EQ(mp_state(m), kRunnable);
  kvmapi::Vcpu other = t.must(t.vm().create_vcpu(1));
  EXPECT_EQ(t.must(other.get_mp_state()).mp_state, kUninitialized);
}

KVM_TEST("run.mp_state", "uninitialized_vcpu_waits_until_a_signal", "api.rst 4.38",
         {.needs = {.cap = {Cap::MpState, Cap::Irqchip}}, .status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::count_forever, Mode::real);
  kvmapi::Vcpu vcpu = t.must(t.vm().create_vcpu(1));
  Machine ap(m, vcpu, Guest::count_forever);
  CountedSignal signal(SIGUSR1);
  std::atomic<bool> started{false};
  Meanwhile kicker([&] { return started.load(); },
                   [&, thread = pthread_self()] {
                     // Until it has come back: a signal before KVM_RUN would be over before it.
                     while (started) {
                       pthread_kill(thread, SIGUSR1);
                       std::this_thread::yield();
                     }
                   });
  started = true;
  const auto result = ap.run();
  started = false;
  EXPECT_THAT(result, FailsWith(EINTR));
  EXPECT_EQ(watch(m, kData), 0u) << "the guest did not run";
}

KVM_TEST("run.mp_state", "uninitialized_vcpu_runs_once_made_runnable", "api.rst 4.39",
         {.needs = {.cap = {Cap::MpState, Cap::Irqchip}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::out_byte, Mode::long64);
  kvmapi::Vcpu vcpu = t.must(t.vm().create_vcpu(1));
  Machine ap(m, vcpu, Guest::out_byte);
  t.must(vcpu.set_mp_state({kRunnable}));
  ASSERT_THAT(ap.run(), Returns(0));
  EXPECT_EQ(ap.reason(), Exit::Io);
}

// HLT with a LAPIC in the kernel: the state says so once KVM_RUN is back.
KVM_TEST("run.mp_state", "of_a_vcpu_in_hlt_is_halted", "api.rst 4.38", {.needs = {.cap = {Cap::MpState, Cap::Irqchip}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::count_then_hlt, Mode::long64);
  CountedSignal signal(SIGUSR1);
  // The signal may come between the guest's two instructions: then it is sent again.
  const bool halted = wait_until([&] {
    std::atomic<bool> is_running{true};
    Meanwhile kicker([&] { return watch(m, kData) != 0; },
                     [&, thread = pthread_self()] {
                       while (is_running) {
                         pthread_kill(thread, SIGUSR1);
                         std::this_thread::yield();
                       }
                     });
    const auto result = m.run();
    is_running = false;
    EXPECT_THAT(result, FailsWith(EINTR));
    return m.regs().rip == m.at("after");
  });
  ASSERT_TRUE(halted);
  EXPECT_EQ(mp_state(m), kHalted);
}

KVM_TEST("run.mp_state", "halted_vcpu_set_runnable_goes_on", "api.rst 4.39",
         {.needs = {.cap = {Cap::MpState, Cap::Irqchip}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::out_byte, Mode::long64);
  t.must(m.vcpu().set_mp_state({kHalted}));
  EXPECT_EQ(mp_state(m), kHalted);
  t.must(m.vcpu().set_mp_state({kRunnable}));
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io);
}

}  // namespace
}  // namespace conformance
