#include "mock/vm/io_bus.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "kvmapi/uapi/constants.hpp"

namespace mock::vm {
namespace {

constexpr std::size_t kMaxDevices = 1000;
constexpr u32 kRingEntries = (4096 - sizeof(kvm_coalesced_mmio_ring)) / sizeof(kvm_coalesced_mmio);

IoSpace space_of(const kvm_ioeventfd& request) {
  return request.flags & kIoeventfdFlagPio ? IoSpace::port : IoSpace::memory;
}

u64 little_endian(const void* data, unsigned size) {
  u64 value = 0;
  std::memcpy(&value, data, size);
  return value;
}

}  // namespace

// kvm_assign_ioeventfd().
Result<int> IoBus::assign(const kvm_ioeventfd& request) {
  switch (request.len) {
    case 0:
    case 1:
    case 2:
    case 4:
    case 8:
      break;
    default:
      return err(EINVAL);
  }
  if (request.addr + request.len < request.addr) return err(EINVAL);
  if (request.flags & ~kIoeventfdValidFlagMask) return err(EINVAL);
  const bool matches_data = request.flags & kIoeventfdFlagDatamatch;
  if (!request.len && matches_data) return err(EINVAL);
  Result<EventFd> event = EventFd::from_user(request.fd);
  if (!event) return err(event.error());
  Event made{.space = space_of(request),
             .address = request.addr,
             .length = request.len,
             .is_wildcard = !matches_data,
             .value = request.datamatch,
             .event = std::move(*event)};
  std::unique_lock lock(mutex_);
  for (const Event& other : events_)
    if (other.space == made.space && other.address == made.address &&
        (!other.length || !made.length ||
         (other.length == made.length && (other.is_wildcard || made.is_wildcard || other.value == made.value))))
      return err(EEXIST);
  if (events_.size() + zones_.size() >= kMaxDevices + events_.size()) return err(ENOSPC);
  events_.push_back(std::move(made));
  update_count();
  return 0;
}

Result<int> IoBus::deassign(const kvm_ioeventfd& request) {
  Result<EventFd> event = EventFd::from_user(request.fd);
  if (!event) return err(event.error());
  const bool is_wildcard = !(request.flags & kIoeventfdFlagDatamatch);
  std::unique_lock lock(mutex_);
  const auto found = std::find_if(events_.begin(), events_.end(), [&](const Event& e) {
    return e.space == space_of(request) && e.event.id() == event->id() && e.address == request.addr &&
           e.length == request.len && e.is_wildcard == is_wildcard && (is_wildcard || e.value == request.datamatch);
  });
  if (found == events_.end()) return err(ENOENT);
  events_.erase(found);
  update_count();
  return 0;
}

Result<int> IoBus::ioeventfd(const kvm_ioeventfd& request) {
  return request.flags & kIoeventfdFlagDeassign ? deassign(request) : assign(request);
}

Result<int> IoBus::register_zone(const kvm_coalesced_mmio_zone& zone) {
  if (zone.pio > 1) return err(EINVAL);
  std::unique_lock lock(mutex_);
  if (zones_.size() >= kMaxDevices) return err(ENOSPC);
  zones_.push_back({zone.pio ? IoSpace::port : IoSpace::memory, zone.addr, zone.size});
  update_count();
  return 0;
}

// Every zone that contains the range goes; none is no error.
Result<int> IoBus::unregister_zone(const kvm_coalesced_mmio_zone& zone) {
  if (zone.pio > 1) return err(EINVAL);
  const IoSpace space = zone.pio ? IoSpace::port : IoSpace::memory;
  std::unique_lock lock(mutex_);
  std::erase_if(zones_, [&](const Zone& z) { return z.space == space && z.contains(zone.addr, zone.size); });
  update_count();
  return 0;
}

bool IoBus::write_slow(IoSpace space, u64 address, unsigned size, const void* data, u8* ring) {
  std::shared_lock lock(mutex_);
  for (const Event& event : events_) {
    if (event.space != space || event.address != address) continue;
    if (event.length && event.length != size) continue;
    if (event.length && !event.is_wildcard && event.value != little_endian(data, size)) continue;
    event.event.signal();
    return true;
  }
  const bool is_coalesced = std::any_of(zones_.begin(), zones_.end(),
                                        [&](const Zone& z) { return z.space == space && z.contains(address, size); });
  if (!is_coalesced) return false;
  std::lock_guard ring_lock(ring_mutex_);
  // User space owns `first` and can write anything into either index; one entry stays free.
  auto* header = reinterpret_cast<kvm_coalesced_mmio_ring*>(ring);
  const u32 at = __atomic_load_n(&header->last, __ATOMIC_RELAXED);
  if (at >= kRingEntries || (at + 1) % kRingEntries == __atomic_load_n(&header->first, __ATOMIC_ACQUIRE)) return false;
  kvm_coalesced_mmio entry{.phys_addr = address, .len = size, .pio = space == IoSpace::port, .data = {}};
  u8* slot = ring + sizeof(kvm_coalesced_mmio_ring) + at * sizeof entry;
  // Bytes beyond the length stay what they were.
  std::memcpy(slot, &entry, offsetof(kvm_coalesced_mmio, data));
  std::memcpy(slot + offsetof(kvm_coalesced_mmio, data), data, size);
  __atomic_store_n(&header->last, (at + 1) % kRingEntries, __ATOMIC_RELEASE);
  return true;
}

}  // namespace mock::vm
