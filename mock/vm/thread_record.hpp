// What each thread uses right now, for all to see ("hazard pointers"). To say "I use this object" costs a store or two
// and a light fence; who wants to end or take over an object pays with a heavy fence and a look at every thread.
//
//   record.begin_use(object)                            // then check that the object may still be used at all
//   ... heavy_fence(); ThreadRecord::is_used(object)    // after having made it unusable for newcomers
//
// Uses nest: a signal handler may run in the middle of one. Records are never freed; a thread that ends leaves its own
// to the next one that starts, so a record's address names a thread as long as that lives.
#pragma once

#include <array>
#include <atomic>

#include "mock/vm/asymmetric_fence.hpp"

namespace mock::vm {

class ThreadRecord {
 public:
  // Of the calling thread.
  static ThreadRecord& mine() {
    if (ThreadRecord* const record = t_record) [[likely]]
      return *record;
    return enrol();
  }

  // For the thread itself. False: too many uses one in another.
  // A signal handler that comes in the middle finds its own place, behind the one that is already ours.
  [[nodiscard]] bool begin_use(const void* object) {
    std::atomic<const void*>* const use = next_use_;
    if (use == uses_.data() + uses_.size()) [[unlikely]]
      return false;
    next_use_ = use + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    use->store(object, std::memory_order_release);
    light_fence();
    return true;
  }
  // Another object in the place of the last one.
  void change_use(const void* object) {
    next_use_[-1].store(object, std::memory_order_release);
    light_fence();
  }
  // Of the last one. Afterwards a look at a flag that is set before the other side's heavy fence tells whether somebody
  // waits.
  void end_use() {
    change_use(nullptr);
    --next_use_;
  }

  // For other threads, after heavy_fence().
  bool uses(const void* object) const;
  // By any thread.
  static bool is_used(const void* object);
  // In the child of a fork: its only thread is the calling one.
  static void forget_other_threads();

 private:
  friend struct Enrolment;
  // An ioctl needs two: one more for each handler that interrupts another inside an ioctl.
  static constexpr unsigned kMaxUses = 32;

  static ThreadRecord& enrol();

  // initial-exec: an access is one instruction also in a shared library.
  static thread_local constinit ThreadRecord* t_record __attribute__((tls_model("initial-exec")));

  std::array<std::atomic<const void*>, kMaxUses> uses_{};
  std::atomic<const void*>* next_use_ = uses_.data();
  std::atomic<bool> is_taken_{true};
  ThreadRecord* next_ = nullptr;
};

}  // namespace mock::vm
