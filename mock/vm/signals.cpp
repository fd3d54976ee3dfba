#include "mock/vm/signals.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "mock/cpu/state.hpp"

namespace mock::vm {
namespace {

constexpr SignalSet bit(int signal) { return SignalSet{1} << (signal - 1); }

// Never blocked: the fault would kill the process instead of reaching a handler. 32 and 33 are the C library's own.
constexpr SignalSet kAlwaysDeliverable = bit(SIGSEGV) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGILL) | bit(SIGTRAP) |
                                         bit(SIGSYS) | bit(SIGKILL) | bit(SIGSTOP) | bit(32) | bit(33);

SignalSet from_sigset(const sigset_t& set) {
  SignalSet value;
  std::memcpy(&value, &set, sizeof value);
  return value;
}

sigset_t to_sigset(SignalSet value) {
  sigset_t set;
  sigemptyset(&set);
  std::memcpy(&set, &value, sizeof value);
  return set;
}

SignalSet pending_signals() {
  sigset_t set;
  sigpending(&set);
  return from_sigset(set);
}

// A pending signal that the process ignores would never have become pending in the kernel; it ends nothing.
bool is_ignored(int signal) {
  struct sigaction action;
  if (sigaction(signal, nullptr, &action) != 0) return false;
  if (action.sa_flags & SA_SIGINFO) return false;
  if (action.sa_handler == SIG_IGN) return true;
  return action.sa_handler == SIG_DFL &&
         (signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT);
}

SignalSet without_ignored(SignalSet set) {
  for (int signal = 1; signal <= 64; ++signal)
    if ((set & bit(signal)) && is_ignored(signal)) set &= ~bit(signal);
  return set;
}

constexpr s64 kNapNs = 1000000;
timespec to_timespec(s64 ns) { return {ns / 1000000000, ns % 1000000000}; }

}  // namespace

void note_signal() {
  CurrentRun& run = t_current_run;
  if (!run.is_running.load(std::memory_order_relaxed)) return;
  run.was_signalled.store(true, std::memory_order_relaxed);
  run.attention.load(std::memory_order_relaxed)->fetch_or(cpu::kAttentionStop);
}

WakeUp::~WakeUp() {
  if (int descriptor = descriptor_.load(); descriptor >= 0) ::close(descriptor);
}

void WakeUp::prepare() {
  if (descriptor_.load() < 0) descriptor_.store(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void WakeUp::signal() {
  const int descriptor = descriptor_.load();
  const u64 one = 1;
  if (descriptor >= 0) [[maybe_unused]]
    ssize_t written = ::write(descriptor, &one, sizeof one);
}

void WakeUp::drain() {
  u64 count;
  [[maybe_unused]] ssize_t got = ::read(descriptor_.load(), &count, sizeof count);
}

bool WakeUp::sleep(SignalSet blocked, s64 timeout_ns) {
  // Without a descriptor (EMFILE) fall back to short naps: late, but nothing is lost.
  const int descriptor = descriptor_.load();
  if (descriptor < 0 && (timeout_ns < 0 || timeout_ns > kNapNs)) timeout_ns = kNapNs;
  pollfd poll_set{descriptor, POLLIN, 0};
  const timespec timeout = to_timespec(timeout_ns);
  const sigset_t mask = to_sigset(blocked);
  const int ready = ::ppoll(&poll_set, descriptor < 0 ? 0 : 1, timeout_ns < 0 ? nullptr : &timeout, &mask);
  if (ready > 0) drain();
  return ready < 0;
}

void WakeUp::sleep_without_handlers(SignalSet blocked, s64 timeout_ns) {
  const int descriptor = descriptor_.load();
  const sigset_t wanted = to_sigset(~blocked & ~kAlwaysDeliverable);
  const int signals = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if ((descriptor < 0 || signals < 0) && (timeout_ns < 0 || timeout_ns > kNapNs)) timeout_ns = kNapNs;
  pollfd poll_set[2] = {{signals, POLLIN, 0}, {descriptor, POLLIN, 0}};
  const timespec timeout = to_timespec(timeout_ns);
  const int ready = ::ppoll(poll_set, 2, timeout_ns < 0 ? nullptr : &timeout, nullptr);
  if (signals >= 0) ::close(signals);
  if (ready > 0 && (poll_set[1].revents & POLLIN)) drain();
}

void SignalScope::block() {
  const sigset_t all = to_sigset(~kAlwaysDeliverable);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &all, &before);
  original_ = from_sigset(before);
  is_blocking_ = true;
}

void SignalScope::unblock() {
  const sigset_t before = to_sigset(original_);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool SignalScope::is_interrupted() {
  if (was_interrupted_) return true;
  if (is_wrapped_ && t_current_run.was_signalled.load(std::memory_order_relaxed)) return was_interrupted_ = true;
  if (!is_blocking_) return false;
  const SignalSet pending = pending_signals() & ~(run_mask_ ? *run_mask_ : original_) & ~kAlwaysDeliverable;
  return pending && without_ignored(pending);
}

void SignalScope::sleep(WakeUp& wake_up, s64 timeout_ns) {
  // Wrapped: from here on handlers wait for the sleep; one that ran before has left its note.
  if (!is_blocking_) block();
  if (is_interrupted()) return;
  if (run_mask_)
    wake_up.sleep_without_handlers(*run_mask_, timeout_ns);
  else if (wake_up.sleep(original_, timeout_ns))
    was_interrupted_ = true;  // its handler has run: nothing is pending any more
}

}  // namespace mock::vm
