// A mutex that costs the thread which usually takes it no atomic change: such a thread owns the mutex, and locking it
// is a note in the thread's record (thread_record.hpp). Another thread that wants it takes the ownership away, with a
// heavy fence, and waits; from then on it is an ordinary mutex, until one thread has taken it several times in a row.
// Where the light fence is not light it always is an ordinary mutex.
#pragma once

#include <atomic>
#include <mutex>

#include "kvmapi/types.hpp"
#include "mock/vm/thread_record.hpp"

namespace mock::vm {

using namespace kvmapi;

class BiasedMutex {
 public:
  BiasedMutex() = default;
  BiasedMutex(const BiasedMutex&) = delete;
  BiasedMutex& operator=(const BiasedMutex&) = delete;

  // Holds the mutex as long as it lives.
  class Lock {
   public:
    explicit Lock(BiasedMutex& mutex)
        : mutex_(mutex),
          self_(ThreadRecord::mine()),
          way_(mutex.lock_as_owner(self_) ? Way::owner : mutex.lock(self_)) {}
    ~Lock() {
      if (way_ == Way::owner) [[likely]]
        mutex_.unlock_as_owner(self_);
      else if (way_ == Way::mutex)
        mutex_.unlock();
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

    // False: the calling thread holds it already (a signal handler in the middle of such a lock).
    explicit operator bool() const { return way_ != Way::refused; }

   private:
    friend class BiasedMutex;
    enum class Way : u8 { owner, mutex, refused };

    BiasedMutex& mutex_;
    ThreadRecord& self_;
    const Way way_;
  };

 private:
  // A thread must take the mutex that often in a row before it owns it again.
  static constexpr unsigned kTimesInARow = 8;

  bool lock_as_owner(ThreadRecord& self) {
    if (owner_.load(std::memory_order_relaxed) != &self || is_held_by_owner_.load(std::memory_order_relaxed))
      return false;
    if (!self.begin_use(this)) [[unlikely]]
      return false;
    if (owner_.load(std::memory_order_relaxed) != &self) [[unlikely]] {
      end_use(self);
      return false;
    }
    is_held_by_owner_.store(true, std::memory_order_relaxed);
    return true;
  }
  void unlock_as_owner(ThreadRecord& self) {
    is_held_by_owner_.store(false, std::memory_order_relaxed);
    end_use(self);
  }
  void end_use(ThreadRecord& self) {
    self.end_use();
    if (is_wanted_.load(std::memory_order_relaxed)) [[unlikely]]
      wake_waiter();
  }
  Lock::Way lock(ThreadRecord& self);
  void unlock();
  void take_ownership_away();
  bool deserves_ownership(const ThreadRecord& self);
  void wake_waiter();

  std::atomic<ThreadRecord*> owner_{nullptr};
  std::atomic<bool> is_held_by_owner_{false};
  std::atomic<bool> is_wanted_{false};  // somebody waits for the owner's use to end
  std::atomic<u32> wakes_{0};           // futex

  std::mutex mutex_;                            // between those who are not the owner
  std::atomic<ThreadRecord*> holder_{nullptr};  // of mutex_
  const ThreadRecord* last_ = nullptr;          // who took mutex_ last, and how often in a row
  unsigned in_a_row_ = 0;
};

}  // namespace mock::vm
