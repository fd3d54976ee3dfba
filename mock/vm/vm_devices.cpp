// Eventfds, coalesced zones, MSR and PMU filters, device descriptors and the dirty ring of a VM.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "mock/vm/device.hpp"
#include "mock/vm/irqchip.hpp"
#include "mock/vm/irqfd.hpp"
#include "mock/vm/stats.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {

Result<int> Vm::ioeventfd(const kvm_ioeventfd& request) { return io_bus_.ioeventfd(request); }
Result<int> Vm::register_coalesced_mmio(const kvm_coalesced_mmio_zone& zone) { return io_bus_.register_zone(zone); }
Result<int> Vm::unregister_coalesced_mmio(const kvm_coalesced_mmio_zone& zone) { return io_bus_.unregister_zone(zone); }

Result<int> Vm::irqfd(const kvm_irqfd& request) {
  if (request.flags & ~(kIrqfdFlagDeassign | kIrqfdFlagResample)) return err(EINVAL);
  if (request.flags & kIrqfdFlagDeassign) {
    if (irqfds_) return irqfds_->deassign(request);
    Result<EventFd> event = EventFd::from_user(static_cast<int>(request.fd));
    return event ? Result<int>(0) : err(event.error());
  }
  // kvm_arch_irqfd_allowed(): a resampling one needs chips that tell of acknowledgements.
  const bool resamples = request.flags & kIrqfdFlagResample;
  if (!has_irqchip() || (resamples && irqchip_mode() != IrqchipMode::kernel)) return err(EINVAL);
  return irqfds_->assign(request);
}

Result<int> Vm::x86_set_msr_filter(const kvm_msr_filter& in) {
  Result<MsrFilter> filter = MsrFilter::from_user(in);
  if (!filter) return err(filter.error());
  std::unique_lock lock(filter_mutex_);
  msr_filter_ = std::move(*filter);
  return 0;
}

bool Vm::allows_msr(u32 index, bool is_write) {
  std::shared_lock lock(filter_mutex_);
  return msr_filter_.allows(index, is_write);
}

// Checked and kept: there are no counters to filter (kvm_vm_ioctl_set_pmu_event_filter()).
Result<int> Vm::set_pmu_event_filter(UserPointer pointer) {
  constexpr u32 kMaxEvents = 300, kDeny = 1;
  kvm_pmu_event_filter filter;
  if (!get_user(filter, pointer.address)) return err(EFAULT);
  if (filter.action > kDeny) return err(EINVAL);
  const u32 known = profile().since(6, 12) ? 1 : 0;
  if (filter.flags & ~known) return err(EINVAL);
  if (filter.nevents > kMaxEvents) return err(E2BIG);
  std::vector<u64> events(filter.nevents);
  if (!copy_from_user(events.data(), pointer.address + sizeof filter, events.size() * 8)) return err(EFAULT);
  // Masked events: bits outside event select, unit mask, mask and the exclude flag are reserved.
  constexpr u64 kMaskedEvent = 0xff0000000000ffff | (u64{0xf} << 32) | (u64{1} << 55);
  if (filter.flags)
    for (u64 event : events)
      if (event & ~kMaskedEvent) return err(EINVAL);
  return 0;
}

Result<int> Vm::make_vfio_device(kvm_create_device& request) {
  if (!context_.descriptors) return err(ENOSYS);
  auto device = std::make_shared<Device>(context_);
  {
    std::lock_guard lock(lock_);
    if (vfio_.lock()) return err(EBUSY);
    vfio_ = device;
  }
  Result<int> fd = context_.descriptors->add(shared_from_this(), device);
  if (!fd) return fd;
  request.fd = static_cast<u32>(*fd);
  return 0;
}

// x86 has one type of device, for VFIO groups; the mock has no VFIO module.
Result<int> Vm::create_device(kvm_create_device& request) {
  if (request.type != kDevTypeVfio) return err(ENODEV);
  return request.flags & kCreateDeviceTest ? Result<int>(0) : make_vfio_device(request);
}

Result<int> Vm::get_stats_fd() { return make_stats_fd(profile().vm_stats, fmt::format("kvm-{}", getpid())); }

Result<int> Vm::reset_dirty_rings() {
  if (!config_.dirty_ring_bytes) return err(EINVAL);
  int count = 0;
  {
    std::unique_lock lock(slots_.mutex());
    for_each_vcpu([&](Vcpu& vcpu) {
      count += vcpu.dirty_ring().reset([&](u32 id, u64 offset) {
        if ((id >> 16) >= kAddressSpaces) return;
        Slot* slot = slots_.space(id >> 16).by_id(id & 0xffff);
        if (slot && slot->dirty && offset < slot->pages)
          slot->dirty[offset / 64].fetch_and(~(u64{1} << (offset % 64)), std::memory_order_relaxed);
      });
    });
  }
  if (count) flush_vcpus(Flush::writes);
  return count;
}

// KVM_SET_MEMORY_ATTRIBUTES: a plain VM supports no attribute.
Result<int> Vm::set_memory_attributes(const kvm_memory_attributes& request) {
  if (!profile().capability(static_cast<u32>(Cap::MemoryAttributes))) return err(ENOTTY);
  if (request.flags || request.attributes) return err(EINVAL);
  if (!request.size || request.address + request.size < request.address) return err(EINVAL);
  if (request.address % kPageSize || request.size % kPageSize) return err(EINVAL);
  return 0;
}

}  // namespace mock::vm
