#include "mock/vm/signals.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <thread>

namespace mock::vm {
namespace {

std::atomic<int> g_handled{0};
void count(int) { g_handled.fetch_add(1); }
void note_and_count(int) {
  note_signal();
  g_handled.fetch_add(1);
}

class Signals : public testing::Test {
 protected:
  void SetUp() override {
    g_handled = 0;
    install(count);
  }
  void TearDown() override { signal(SIGUSR1, SIG_DFL); }
  static void install(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigaction(SIGUSR1, &action, nullptr);
  }
  std::atomic<u32> attention_{0};
};

TEST_F(Signals, a_blocked_run_sees_a_signal_and_its_handler_runs_afterwards) {
  {
    SignalScope scope(SignalPolicy::block, {}, attention_);
    EXPECT_FALSE(scope.is_interrupted());
    pthread_kill(pthread_self(), SIGUSR1);
    EXPECT_TRUE(scope.is_interrupted());
    EXPECT_EQ(g_handled, 0);
  }
  EXPECT_EQ(g_handled, 1);
}

TEST_F(Signals, an_ignored_signal_interrupts_nothing) {
  signal(SIGUSR1, SIG_IGN);
  SignalScope scope(SignalPolicy::block, {}, attention_);
  pthread_kill(pthread_self(), SIGUSR1);
  pthread_kill(pthread_self(), SIGCHLD);
  EXPECT_FALSE(scope.is_interrupted());
}

TEST_F(Signals, a_signal_that_the_thread_blocks_interrupts_only_if_the_run_mask_lets_it) {
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &before);
  pthread_kill(pthread_self(), SIGUSR1);
  {
    SignalScope scope(SignalPolicy::block, {}, attention_);
    EXPECT_FALSE(scope.is_interrupted());
  }
  {
    const std::optional<SignalSet> blocks_nothing = SignalSet{0};
    SignalScope scope(SignalPolicy::block, blocks_nothing, attention_);
    EXPECT_TRUE(scope.must_check_first());
    EXPECT_TRUE(scope.is_interrupted());
  }
  EXPECT_EQ(g_handled, 0) << "still blocked in the thread";
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(g_handled, 1);
}

TEST_F(Signals, wrapped_handlers_ask_for_attention_at_once) {
  install(note_and_count);
  SignalScope scope(SignalPolicy::wrapped, {}, attention_);
  EXPECT_FALSE(scope.is_interrupted());
  pthread_kill(pthread_self(), SIGUSR1);
  EXPECT_EQ(g_handled, 1);
  EXPECT_NE(attention_.load(), 0u);
  EXPECT_TRUE(scope.is_interrupted());
}

class Sleep : public Signals, public testing::WithParamInterface<SignalPolicy> {};

TEST_P(Sleep, ends_with_a_signal_before_or_during_it) {
  install(note_and_count);
  for (int delay_us : {0, 50, 2000}) {
    const pthread_t sleeper = pthread_self();
    std::thread sender;
    {
      WakeUp wake_up;
      wake_up.prepare();
      SignalScope scope(GetParam(), {}, attention_);
      sender = std::thread([=] {
        std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
        pthread_kill(sleeper, SIGUSR1);
      });
      if (delay_us == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      while (!scope.is_interrupted()) scope.sleep(wake_up, -1);
    }
    sender.join();
  }
  EXPECT_EQ(g_handled, 3);
}

TEST_P(Sleep, ends_with_a_wake_up) {
  WakeUp wake_up;
  wake_up.prepare();
  std::atomic<bool> woken{false};
  std::thread waker([&] {
    woken = true;
    wake_up.signal();
  });
  SignalScope scope(GetParam(), {}, attention_);
  while (!woken) scope.sleep(wake_up, -1);
  EXPECT_FALSE(scope.is_interrupted());
  waker.join();
}

INSTANTIATE_TEST_SUITE_P(Policies, Sleep, testing::Values(SignalPolicy::block, SignalPolicy::wrapped));

}  // namespace
}  // namespace mock::vm
