#include "mock/vm/memory_slots.hpp"

#include <algorithm>
#include <cerrno>

#include "mock/vm/user_memory.hpp"

namespace mock::vm {
namespace {

constexpr u64 kMaxPages = (u64{1} << 31) - 1;

constexpr bool is_page_aligned(u64 value) { return value % kPageSize == 0; }

void make_bitmap(Slot& slot, bool zero) {
  slot.dirty = std::make_unique<std::atomic<u64>[]>(slot.dirty_words());
  if (zero) return;
  for (u64 page = 0; page < slot.pages; ++page) slot.mark_dirty(slot.base_page + page);
}

}  // namespace

Slot* SlotTable::find(u64 page) const {
  auto after = std::upper_bound(by_address_.begin(), by_address_.end(), page,
                                [](u64 value, const Slot* slot) { return value < slot->base_page; });
  if (after == by_address_.begin()) return nullptr;
  Slot* slot = *(after - 1);
  return slot->contains(page) ? slot : nullptr;
}

bool SlotTable::overlaps(u64 base_page, u64 pages, u32 id) const {
  auto from = std::lower_bound(by_address_.begin(), by_address_.end(), base_page,
                               [](const Slot* slot, u64 value) { return slot->end_page() <= value; });
  for (; from != by_address_.end() && (*from)->base_page < base_page + pages; ++from)
    if ((*from)->id != id) return true;
  return false;
}

void SlotTable::link(Slot& slot) {
  auto at = std::upper_bound(by_address_.begin(), by_address_.end(), slot.base_page,
                             [](u64 value, const Slot* other) { return value < other->base_page; });
  by_address_.insert(at, &slot);
}

void SlotTable::unlink(const Slot& slot) {
  by_address_.erase(std::find(by_address_.begin(), by_address_.end(), &slot));
}

Slot* SlotTable::insert(Slot slot) {
  const u32 id = slot.id;
  if (id >= by_id_.size()) by_id_.resize(id + 1);
  by_id_[id] = std::make_unique<Slot>(std::move(slot));
  link(*by_id_[id]);
  return by_id_[id].get();
}

void SlotTable::erase(u32 id) {
  unlink(*by_id_[id]);
  by_id_[id].reset();
}

void SlotTable::move(Slot& slot, u64 new_base_page) {
  unlink(slot);
  slot.base_page = new_base_page;
  link(slot);
}

// The order of the checks is __kvm_set_memory_region()'s.
Result<MemorySlots::Change> MemorySlots::set(const RegionRequest& request, const SlotRules& rules) {
  const u32 address_space = request.slot >> 16, id = request.slot & 0xffff;
  if (request.flags & ~(kMemLogDirtyPages | kMemReadonly)) return err(EINVAL);
  if (!is_page_aligned(request.size_bytes) || !is_page_aligned(request.guest_address)) return err(EINVAL);
  if (!is_page_aligned(request.host_address) || !is_user_range(request.host_address, request.size_bytes))
    return err(EINVAL);
  if (address_space >= kAddressSpaces || id >= rules.max_slots) return err(EINVAL);
  if (request.guest_address + request.size_bytes < request.guest_address) return err(EINVAL);
  const u64 pages = request.size_bytes / kPageSize, base_page = request.guest_address / kPageSize;
  if (pages > kMaxPages) return err(EINVAL);

  std::unique_lock lock(mutex_);
  SlotTable& table = spaces_[address_space];
  Slot* old = table.by_id(id);
  if (pages == 0) {
    if (!old) return rules.accept_absent_delete ? Result<Change>(Change{}) : err(EINVAL);
    total_pages_ -= old->pages;
    table.erase(id);
    return Change{.translations = true};
  }
  const bool log = request.flags & kMemLogDirtyPages;
  if (!old) {
    if (table.overlaps(base_page, pages, id) && !rules.accept_overlap) return err(EEXIST);
    Slot* slot = table.insert({.id = id,
                               .address_space = address_space,
                               .base_page = base_page,
                               .pages = pages,
                               .flags = request.flags,
                               .host_address = request.host_address,
                               .dirty = nullptr});
    if (log) make_bitmap(*slot, rules.zero_new_dirty_bits);
    total_pages_ += pages;
    // An MMIO page of before may be RAM now; the CPU never caches "no memory here", but code may span the border.
    return Change{.translations = true};
  }
  if (request.host_address != old->host_address || pages != old->pages || ((request.flags ^ old->flags) & kMemReadonly))
    return err(EINVAL);
  if (base_page == old->base_page && request.flags == old->flags) return Change{};
  if (base_page != old->base_page) {
    if (table.overlaps(base_page, pages, id) && !rules.accept_overlap) return err(EEXIST);
    table.move(*old, base_page);
    if (log && old->dirty)
      for (u64 word = 0; word < old->dirty_words(); ++word) old->dirty[word].store(0, std::memory_order_relaxed);
  }
  old->flags = request.flags;
  if (log && !old->dirty) make_bitmap(*old, rules.zero_new_dirty_bits);
  if (!log) old->dirty.reset();
  return Change{.translations = true};
}

bool MemorySlots::covers_host(u64 address) {
  const std::shared_lock lock(mutex_);
  for (const SlotTable& table : spaces_)
    for (const Slot* slot : table.by_address())
      if (address - slot->host_address < slot->pages * kPageSize) return true;
  return false;
}

}  // namespace mock::vm
