// Ends KVM_RUN of this thread after a while by a signal, as a VMM's timer would, again and again until stopped.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "mock/vm/signals.hpp"

namespace mock::fuzz {

class Watchdog {
 public:
  static constexpr int kSignal = SIGUSR2;

  explicit Watchdog(long milliseconds) : milliseconds_(milliseconds) {
    struct sigaction action {};
    action.sa_handler = [](int) { vm::note_signal(); };
    sigaction(kSignal, &action, nullptr);
    struct sigevent event {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = kSignal;
    event._sigev_un._tid = static_cast<int>(syscall(SYS_gettid));
    if (timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) std::abort();
  }
  ~Watchdog() { timer_delete(timer_); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start() const { set(milliseconds_ * 1000000); }
  void stop() const { set(0); }

 private:
  void set(long nanoseconds) const {
    const itimerspec when{{0, nanoseconds}, {0, nanoseconds}};
    timer_settime(timer_, 0, &when, nullptr);
  }

  long milliseconds_;
  timer_t timer_{};
};

}  // namespace mock::fuzz
