// The pages that a vcpu shares with its user: struct kvm_run, the PIO data page, the coalesced-MMIO ring, then the
// dirty ring.
#pragma once

#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"

namespace mock::vm {

using namespace kvmapi;

inline constexpr u64 kRunPages = 3;
inline constexpr u64 kRunBytes = kRunPages * 4096;
// KVM_DIRTY_LOG_PAGE_OFFSET: where the dirty ring lies in the mapping.
inline constexpr u64 kDirtyRingOffset = 64 * 4096;
constexpr u64 run_bytes(u64 ring_bytes) { return ring_bytes ? kDirtyRingOffset + ring_bytes : kRunBytes; }

class RunPages {
 public:
  RunPages() = default;
  RunPages(RunPages&& other) noexcept;
  RunPages& operator=(RunPages&& other) noexcept;
  ~RunPages();

  // In the heap, for a vcpu without descriptor.
  static RunPages in_heap(u64 ring_bytes = 0);
  // A memfd, mapped here; its descriptor is mmap-able by the user. EMFILE, ENOMEM.
  static Result<RunPages> in_memfd(u64 ring_bytes = 0);

  u8* address() const { return address_; }
  // Hands the descriptor over; it is an open file description of its own, so that closing its last duplicate can be
  // told from this process's inner mapping.
  int release_descriptor();

 private:
  u8* address_ = nullptr;
  u64 bytes_ = 0;
  int descriptor_ = -1;
  bool is_mapping_ = false;
};

}  // namespace mock::vm
