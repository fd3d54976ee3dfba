// What answers a guest's port or memory write instead of user space: ioeventfds (api.rst 4.59) and coalesced zones
// (4.116).
#pragma once

#include <atomic>
#include <shared_mutex>
#include <vector>

#include "kvmapi/uapi/all.hpp"
#include "mock/vm/eventfds.hpp"

namespace mock::vm {

enum class IoSpace : u8 { memory, port };

class IoBus {
 public:
  // KVM_IOEVENTFD. EINVAL, EBADF, EEXIST, ENOENT, ENOSPC.
  Result<int> ioeventfd(const kvm_ioeventfd& request);
  // KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO. EINVAL, ENOSPC.
  Result<int> register_zone(const kvm_coalesced_mmio_zone& zone);
  Result<int> unregister_zone(const kvm_coalesced_mmio_zone& zone);

  // Takes a guest write if something here wants it. `ring`: the coalesced ring page.
  bool write(IoSpace space, u64 address, unsigned size_bytes, const void* data, u8* ring) {
    return count_.load(std::memory_order_relaxed) != 0 && write_slow(space, address, size_bytes, data, ring);
  }

 private:
  struct Event {
    IoSpace space;
    u64 address;
    u32 length;
    bool is_wildcard;
    u64 value;
    EventFd event;
  };
  struct Zone {
    IoSpace space;
    u64 address;
    u32 size;
    bool contains(u64 at, u64 bytes) const { return at + bytes >= at && at >= address && at + bytes <= address + size; }
  };

  bool write_slow(IoSpace space, u64 address, unsigned size_bytes, const void* data, u8* ring);
  Result<int> assign(const kvm_ioeventfd& request);
  Result<int> deassign(const kvm_ioeventfd& request);
  void update_count() { count_.store(events_.size() + zones_.size(), std::memory_order_relaxed); }

  std::shared_mutex mutex_;
  std::mutex ring_mutex_;
  std::atomic<std::size_t> count_{0};
  std::vector<Event> events_;
  std::vector<Zone> zones_;
};

}  // namespace mock::vm
