// The dirty ring of one vcpu, api.rst 7.36: pages (slot, offset) that the guest wrote, in memory shared with user
// space.
#pragma once

#include <atomic>

#include "kvmapi/uapi/constants.hpp"
#include "kvmapi/uapi/memory.hpp"

namespace mock::vm {

using namespace kvmapi;

class DirtyRing {
 public:
  // Entries that stay free for pages written before the vcpu gets to stop.
  static constexpr u32 kReserved = 64;

  void attach(void* memory, u32 bytes) {
    entries_ = static_cast<kvm_dirty_gfn*>(memory);
    size_ = bytes / sizeof(kvm_dirty_gfn);
  }
  bool exists() const { return entries_ != nullptr; }
  bool is_soft_full() const { return dirty_.load() - reset_.load() >= size_ - kReserved; }

  void push(u32 slot, u64 offset) {
    kvm_dirty_gfn& entry = entries_[dirty_.load() & (size_ - 1)];
    entry.slot = slot;
    entry.offset = offset;
    __atomic_store_n(&entry.flags, kDirtyGfnFDirty, __ATOMIC_RELEASE);
    dirty_.fetch_add(1);
  }

  // Calls f(slot, offset) for every entry that user space has harvested; how many.
  template <class F>
  int reset(F&& f) {
    int count = 0;
    for (;; ++count) {
      kvm_dirty_gfn& entry = entries_[reset_.load() & (size_ - 1)];
      if (!(__atomic_load_n(&entry.flags, __ATOMIC_ACQUIRE) & kDirtyGfnFReset)) return count;
      const u32 slot = entry.slot;
      const u64 offset = entry.offset;
      __atomic_store_n(&entry.flags, 0, __ATOMIC_RELEASE);
      reset_.fetch_add(1);
      f(slot, offset);
    }
  }

 private:
  kvm_dirty_gfn* entries_ = nullptr;
  u32 size_ = 0;
  std::atomic<u32> dirty_{0}, reset_{0};
};

}  // namespace mock::vm
