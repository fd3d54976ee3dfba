// Deadline: a POSIX timer that signals one thread. See deadline.hpp.
#include "conformance/support/deadline.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace conformance {
namespace {

thread_local volatile sig_atomic_t is_fired = 0;

int signal_number() { return SIGRTMAX - 1; }
void on_timer(int) { is_fired = 1; }

}  // namespace

Deadline::Deadline(int seconds) {
  is_fired = 0;
  struct sigaction action {};
  action.sa_handler = &on_timer;
  sigemptyset(&action.sa_mask);
  sigaction(signal_number(), &action, nullptr);  // stays: a late signal must not end the process
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal_number();
  event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
  is_armed_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  // Again and again: a signal that comes just before the system call starts would be lost.
  const itimerspec when{.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = seconds}};
  if (is_armed_) timer_settime(timer_, 0, &when, nullptr);
}

Deadline::~Deadline() {
  if (is_armed_) timer_delete(timer_);
}

bool Deadline::is_over() const { return is_fired != 0; }

}  // namespace conformance
