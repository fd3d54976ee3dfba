// Threads and signals for tests of KVM_RUN: waits that end, a signal handler and a signal mask that are put back, and a
// thread that runs a step once the guest shows that it runs. Nothing here sleeps.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "conformance/support/machine.hpp"

namespace conformance {

inline constexpr std::chrono::seconds kPatience{20};

// Polls until `condition` holds. False if it does not within kPatience.
template <class Condition>
bool wait_until(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A word of guest memory that the guest writes while the host looks.
inline kvmapi::u32 watch(const Machine& m, kvmapi::u64 gpa) {
  return std::atomic_ref<kvmapi::u32>(*reinterpret_cast<kvmapi::u32*>(m.host(gpa))).load();
}
inline void tell(const Machine& m, kvmapi::u64 gpa, kvmapi::u32 value) {
  std::atomic_ref<kvmapi::u32>(*reinterpret_cast<kvmapi::u32*>(m.host(gpa))).store(value);
}
// The guest counts at `gpa`: has it moved on from where it was when asked first?
inline bool wait_for_progress(const Machine& m, kvmapi::u64 gpa = guests::kData) {
  const kvmapi::u32 before = watch(m, gpa);
  return wait_until([&] { return watch(m, gpa) != before; });
}

// Handles a signal by counting it, and if asked to by setting immediate_exit of a vcpu. One at a time.
class CountedSignal {
 public:
  explicit CountedSignal(int signal, int flags = 0) : signal_(signal) {
    count_ = 0;
    page_ = nullptr;
    struct sigaction action {};
    action.sa_handler = &on_signal;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, &before_);
  }
  ~CountedSignal() {
    sigaction(signal_, &before_, nullptr);
    page_ = nullptr;
  }
  CountedSignal(const CountedSignal&) = delete;
  CountedSignal& operator=(const CountedSignal&) = delete;

  void sets_immediate_exit_of(kvmapi::kvm_run& page) { page_ = &page; }
  int count() const { return count_; }

 private:
  static void on_signal(int) {
    ++count_;
    if (kvmapi::kvm_run* page = page_) page->immediate_exit = 1;
  }
  static inline std::atomic<int> count_;
  static inline std::atomic<kvmapi::kvm_run*> page_;
  int signal_;
  struct sigaction before_ {};
};

// Blocks a signal in this thread, and takes a pending one away before unblocking it.
class BlockedSignal {
 public:
  explicit BlockedSignal(int signal) {
    sigemptyset(&set_);
    sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~BlockedSignal() {
    take();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  BlockedSignal(const BlockedSignal&) = delete;
  BlockedSignal& operator=(const BlockedSignal&) = delete;

  bool is_pending() const {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, first()) == 1;
  }
  // Consumes a pending signal without running its handler.
  bool take() const {
    const timespec now{};
    return sigtimedwait(&set_, nullptr, &now) > 0;
  }

 private:
  int first() const {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (sigismember(&set_, signal)) return signal;
    }
    return 0;
  }
  sigset_t set_{};
  sigset_t before_{};
};

// Runs `act` in another thread when `ready` holds (or kPatience is over: is_late()). Joined at the end of its scope.
class Meanwhile {
 public:
  Meanwhile(std::function<bool()> ready, std::function<void()> act)
      : thread_([this, ready = std::move(ready), act = std::move(act)] {
          is_late_ = !wait_until(ready);
          act();
        }) {}
  ~Meanwhile() { join(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  bool is_late() {
    join();
    return is_late_;
  }

 private:
  std::atomic<bool> is_late_{false};
  std::thread thread_;
};

}  // namespace conformance
