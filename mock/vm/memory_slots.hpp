// Memory slots: which host pages lie behind which guest-physical pages. KVM_SET_USER_MEMORY_REGION(2), api.rst 4.35
// and 4.140; dirty bitmaps, api.rst 4.8 and 4.117.
//
// Look-up is a binary search in a vector sorted by address, behind a one-entry cache that the caller keeps, so that it
// does not grow with 32,764 slots. Guest memory itself is the caller's; nothing here reads it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "kvmapi/address.hpp"
#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"
#include "kvmapi/uapi/constants.hpp"

namespace mock::vm {

using namespace kvmapi;

inline constexpr u32 kAddressSpaces = 2;

struct Slot {
  u32 id = 0;  // within its address space
  u32 address_space = 0;
  u64 base_page = 0;
  u64 pages = 0;
  u32 flags = 0;
  u64 host_address = 0;
  // One bit per page, present while kMemLogDirtyPages is set.
  std::unique_ptr<std::atomic<u64>[]> dirty;

  bool contains(u64 page) const { return page - base_page < pages; }
  u64 end_page() const { return base_page + pages; }
  u64 dirty_words() const { return (pages + 63) / 64; }
  bool is_readonly() const { return flags & kMemReadonly; }
  u64 host_page(u64 page) const { return host_address + (page - base_page) * kPageSize; }
  // True if the page was clean and logging is on.
  bool mark_dirty(u64 page) {
    if (!dirty) return false;
    const u64 bit = u64{1} << ((page - base_page) % 64);
    return !(dirty[(page - base_page) / 64].fetch_or(bit, std::memory_order_relaxed) & bit);
  }
};

// The slots of one address space.
class SlotTable {
 public:
  Slot* by_id(u32 id) const { return id < by_id_.size() ? by_id_[id].get() : nullptr; }
  // The slot that covers guest page `page`, or nullptr.
  Slot* find(u64 page) const;
  // Whether a slot other than `id` has a page in [base, base + pages).
  bool overlaps(u64 base_page, u64 pages, u32 id) const;
  Slot* insert(Slot slot);
  void erase(u32 id);
  void move(Slot& slot, u64 new_base_page);
  std::size_t size() const { return by_address_.size(); }
  const std::vector<Slot*>& by_address() const { return by_address_; }

 private:
  void unlink(const Slot& slot);
  void link(Slot& slot);

  std::vector<std::unique_ptr<Slot>> by_id_;
  std::vector<Slot*> by_address_;
};

// What KVM_SET_USER_MEMORY_REGION(2) asks for, both forms.
struct RegionRequest {
  u32 slot = 0;  // id in bits 0-15, address space in bits 16-31
  u32 flags = 0;
  u64 guest_address = 0;
  u64 size_bytes = 0;
  u64 host_address = 0;
};

struct SlotRules {
  u32 max_slots = 0;
  bool zero_new_dirty_bits = true;                            // false: KVM_DIRTY_LOG_INITIALLY_SET
  bool accept_overlap = false, accept_absent_delete = false;  // defects
};

// All slots of a VM. Readers (vcpus) hold `mutex` shared while they use a Slot; changes hold it exclusively.
class MemorySlots {
 public:
  // Whether translations made before the call may be stale after it.
  struct Change {
    bool translations = false;
  };
  Result<Change> set(const RegionRequest& request, const SlotRules& rules);

  // Whether a slot has its memory at this address of the process.
  bool covers_host(u64 address);

  SlotTable& space(u32 address_space) { return spaces_[address_space]; }
  std::shared_mutex& mutex() { return mutex_; }

 private:
  std::shared_mutex mutex_;
  SlotTable spaces_[kAddressSpaces];
  u64 total_pages_ = 0;
};

}  // namespace mock::vm
