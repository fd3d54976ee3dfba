// Memory slots and dirty logging of a VM. api.rst 4.35, 4.140, 4.8, 4.117.
#include <cerrno>
#include <mutex>

#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {

Result<int> Vm::set_region(const RegionRequest& region) {
  const SlotRules rules{.max_slots = profile().max_slots(),
                        .zero_new_dirty_bits = !(config_.manual_dirty_log & kDirtyLogInitiallySet),
                        .accept_overlap = has_defect(Defect::overlap_is_accepted),
                        .accept_absent_delete = has_defect(Defect::absent_slot_delete_succeeds)};
  Result<MemorySlots::Change> change = slots_.set(region, rules);
  if (!change) return err(change.error());
  if (change->translations) flush_vcpus(Flush::everything);
  return 0;
}

Result<int> Vm::set_user_memory_region(const kvm_userspace_memory_region& region) {
  return set_region({region.slot, region.flags, region.guest_phys_addr, region.memory_size, region.userspace_addr});
}

Result<int> Vm::set_user_memory_region2(const kvm_userspace_memory_region2& region) {
  return set_region({region.slot, region.flags, region.guest_phys_addr, region.memory_size, region.userspace_addr});
}

// In the order of kvm_get_dirty_log_protect(). The caller holds the slots' lock.
Result<Slot*> Vm::dirty_slot(u32 slot) {
  if (config_.dirty_ring_bytes) return err(ENXIO);
  const u32 address_space = slot >> 16, id = slot & 0xffff;
  if (address_space >= kAddressSpaces || id >= profile().max_slots()) return err(EINVAL);
  Slot* found = slots_.space(address_space).by_id(id);
  if (!found || !found->dirty) return err(ENOENT);
  return found;
}

Result<int> Vm::get_dirty_log(const kvm_dirty_log& log) {
  std::vector<u64> bits;
  bool any = false;
  const bool clears = !config_.manual_dirty_log && !has_defect(Defect::dirty_log_is_not_cleared);
  {
    std::unique_lock lock(slots_.mutex());
    Result<Slot*> slot = dirty_slot(log.slot);
    if (!slot) return err(slot.error());
    bits.resize((*slot)->dirty_words());
    for (std::size_t i = 0; i < bits.size(); ++i) {
      bits[i] = clears ? (*slot)->dirty[i].exchange(0) : (*slot)->dirty[i].load();
      any |= bits[i] != 0;
    }
  }
  // A page written from now on must be noted again; writes on their way under an old translation belong to this report.
  if (any && clears) flush_vcpus(Flush::writes);
  if (has_defect(Defect::dirty_bitmap_off_by_one))
    for (u64& word : bits) word <<= 1;
  return copy_to_user(log.dirty_bitmap, bits.data(), bits.size() * 8) ? Result<int>(0) : err(EFAULT);
}

// In the order of kvm_clear_dirty_log_protect().
Result<int> Vm::clear_dirty_log(const kvm_clear_dirty_log& log) {
  bool any = false;
  {
    std::unique_lock lock(slots_.mutex());
    if (config_.dirty_ring_bytes) return err(ENXIO);
    const u32 address_space = log.slot >> 16, id = log.slot & 0xffff;
    if (address_space >= kAddressSpaces || id >= profile().max_slots()) return err(EINVAL);
    if (log.first_page & 63) return err(EINVAL);
    Result<Slot*> found = dirty_slot(log.slot);
    if (!found) return err(found.error());
    Slot& slot = **found;
    if (log.first_page > slot.pages || log.num_pages > slot.pages - log.first_page ||
        (log.num_pages < slot.pages - log.first_page && (log.num_pages & 63)))
      return err(EINVAL);
    std::vector<u64> bits((u64{log.num_pages} + 63) / 64);
    if (!copy_from_user(bits.data(), log.dirty_bitmap, bits.size() * 8)) return err(EFAULT);
    for (std::size_t i = 0; i < bits.size(); ++i)
      any |= slot.dirty[log.first_page / 64 + i].fetch_and(~bits[i]) & bits[i];
  }
  if (any) flush_vcpus(Flush::writes);
  return 0;
}

// Waits without the lock: a vcpu may need it before it can answer.
void Vm::flush_vcpus(Flush what) {
  std::vector<Vcpu*> vcpus;
  for_each_vcpu([&](Vcpu& vcpu) {
    vcpu.request_flush(what);
    vcpus.push_back(&vcpu);
  });
  for (Vcpu* vcpu : vcpus) vcpu->wait_for_flush();
}

}  // namespace mock::vm
