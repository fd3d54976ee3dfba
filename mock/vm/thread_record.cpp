#include "mock/vm/thread_record.hpp"

#include <algorithm>

namespace mock::vm {

namespace {

std::atomic<ThreadRecord*> g_records{nullptr};

}  // namespace

thread_local constinit ThreadRecord* ThreadRecord::t_record = nullptr;

// Hands the record on when its thread ends.
struct Enrolment {
  ThreadRecord* record = nullptr;
  ~Enrolment() {
    ThreadRecord::t_record = nullptr;
    record->is_taken_.store(false, std::memory_order_release);
  }
};

ThreadRecord& ThreadRecord::enrol() {
  ThreadRecord* record = g_records.load(std::memory_order_acquire);
  for (; record; record = record->next_) {
    bool is_free = false;
    if (record->is_taken_.compare_exchange_strong(is_free, true)) break;
  }
  if (!record) {
    record = new ThreadRecord;
    record->next_ = g_records.load();
    while (!g_records.compare_exchange_weak(record->next_, record)) {
    }
  }
  t_record = record;
  thread_local Enrolment enrolment;
  enrolment.record = record;
  return *record;
}

bool ThreadRecord::uses(const void* object) const {
  return std::any_of(uses_.begin(), uses_.end(),
                     [object](const auto& use) { return use.load(std::memory_order_acquire) == object; });
}

bool ThreadRecord::is_used(const void* object) {
  for (const ThreadRecord* record = g_records.load(std::memory_order_acquire); record; record = record->next_)
    if (record->uses(object)) return true;
  return false;
}

void ThreadRecord::forget_other_threads() {
  for (ThreadRecord* record = g_records.load(std::memory_order_relaxed); record; record = record->next_) {
    if (record == t_record) continue;
    for (auto& use : record->uses_) use.store(nullptr, std::memory_order_relaxed);
    record->next_use_ = record->uses_.data();
    record->is_taken_.store(false, std::memory_order_relaxed);
  }
}

}  // namespace mock::vm
