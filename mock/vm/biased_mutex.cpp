#include "mock/vm/biased_mutex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mock::vm {

BiasedMutex::Lock::Way BiasedMutex::lock(ThreadRecord& self) {
  if (holder_.load(std::memory_order_relaxed) == &self || self.uses(this)) return Lock::Way::refused;
  mutex_.lock();
  holder_.store(&self, std::memory_order_relaxed);
  take_ownership_away();
  if (!deserves_ownership(self) || !self.begin_use(this)) return Lock::Way::mutex;
  owner_.store(&self, std::memory_order_relaxed);
  is_held_by_owner_.store(true, std::memory_order_relaxed);
  unlock();
  return Lock::Way::owner;
}

// The first one that comes gets it at once.
bool BiasedMutex::deserves_ownership(const ThreadRecord& self) {
  const bool is_first = !last_;
  in_a_row_ = last_ == &self ? in_a_row_ + 1 : 1;
  last_ = &self;
  return (is_first || in_a_row_ >= kTimesInARow) && g_has_membarrier.load(std::memory_order_relaxed);
}

void BiasedMutex::take_ownership_away() {
  const ThreadRecord* const owner = owner_.load(std::memory_order_relaxed);
  if (!owner) return;
  owner_.store(nullptr, std::memory_order_relaxed);
  is_wanted_.store(true, std::memory_order_relaxed);
  heavy_fence();
  for (;;) {
    const u32 seen = wakes_.load(std::memory_order_acquire);
    if (!owner->uses(this)) break;
    syscall(SYS_futex, &wakes_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
  }
  is_wanted_.store(false, std::memory_order_relaxed);
}

void BiasedMutex::wake_waiter() {
  wakes_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &wakes_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void BiasedMutex::unlock() {
  holder_.store(nullptr, std::memory_order_relaxed);
  mutex_.unlock();
}

}  // namespace mock::vm
