// How KVM_RUN notices signals. The kernel ends KVM_RUN with EINTR when an unblocked signal is pending, and the handler
// runs after that. In a process of our own the handler could run in the middle of interpretation and be forgotten; two
// policies prevent that:
//
//   block    signals are blocked around the guest run; pending ones are looked for between slices of the run and end
//   it; the
//            handler runs when the mask is restored. Two system calls per KVM_RUN. Works for every caller.
//   wrapped  whoever installs handlers (the preload front, a program that opts in) lets each of them call
//            note_signal() first. No system call per KVM_RUN.
//
// In both, an exit to user space that happens anyway counts as having come just before the signal; so pending signals
// need no look before a short run. Signals that report errors of the running code (SIGSEGV, SIGBUS, SIGFPE, SIGILL,
// SIGTRAP, SIGSYS) and the C library's own stay deliverable.
#pragma once

#include <signal.h>

#include <atomic>
#include <optional>

#include "kvmapi/types.hpp"
#include "mock/vm/context.hpp"

namespace mock::vm {

// The set of signals as the kernel's 64-bit sigset: bit n-1 is signal n.
using SignalSet = u64;

// For handlers under the wrapped policy: async-signal-safe, and cheap outside KVM_RUN.
void note_signal();

// Wakes a vcpu that sleeps in KVM_RUN. The descriptor is made at the first sleep.
class WakeUp {
 public:
  WakeUp() = default;
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  void signal();
  // To be called before the last look at the condition slept for: signal() works from here on.
  void prepare();
  // Sleeps until signal(), a signal not in `blocked`, or `timeout_ns` (negative: none). The caller has blocked all
  // signals; handlers run inside. True if one did.
  bool sleep(SignalSet blocked, s64 timeout_ns);
  // As sleep(), but signals outside `blocked` are only noticed, not handled.
  void sleep_without_handlers(SignalSet blocked, s64 timeout_ns);

 private:
  void drain();
  std::atomic<int> descriptor_{-1};
};

// What the calling thread's handlers see of its KVM_RUN (wrapped policy). Relaxed: a handler runs on its own thread, so
// only the compiler could reorder, and the signal fences forbid that.
struct CurrentRun {
  std::atomic<bool> is_running{false};
  std::atomic<bool> was_signalled{false};
  std::atomic<std::atomic<u32>*> attention{nullptr};
};
// initial-exec: an access is one instruction also in a shared library.
inline thread_local constinit CurrentRun t_current_run __attribute__((tls_model("initial-exec")));

// Around one KVM_RUN on the calling thread.
class SignalScope {
 public:
  // `run_mask`: KVM_SET_SIGNAL_MASK's set, if any; outlives the scope. `attention`: set to ask the CPU to stop (wrapped
  // policy).
  SignalScope(SignalPolicy policy, const std::optional<SignalSet>& run_mask, std::atomic<u32>& attention)
      : run_mask_(run_mask ? &*run_mask : nullptr), is_wrapped_(policy == SignalPolicy::wrapped && !run_mask) {
    if (is_wrapped_)
      announce(attention);
    else
      block();
  }
  ~SignalScope() {
    if (is_wrapped_) t_current_run.is_running.store(false, std::memory_order_relaxed);
    if (is_blocking_) [[unlikely]]
      unblock();
  }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

  // Whether a signal that must end KVM_RUN has arrived. Under `block` this is a system call.
  bool is_interrupted();
  // Whether is_interrupted() is worth asking before the first guest instruction.
  bool must_check_first() const { return is_blocking_ && run_mask_; }
  // Sleeps until woken or interrupted; nothing gets lost between the last check and the sleep.
  void sleep(WakeUp& wake_up, s64 timeout_ns);

 private:
  void announce(std::atomic<u32>& attention) {
    CurrentRun& run = t_current_run;
    run.was_signalled.store(false, std::memory_order_relaxed);
    run.attention.store(&attention, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    run.is_running.store(true, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void block();
  void unblock();

  const SignalSet* const run_mask_;
  const bool is_wrapped_;
  bool is_blocking_ = false;
  SignalSet original_;  // while blocking
  bool was_interrupted_ = false;
};

}  // namespace mock::vm
