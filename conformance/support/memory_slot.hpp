// slot(0).gpa(0x1000).size(0x2000).readonly(): a kvm_userspace_memory_region by what differs from a plain one, which is
// one page at guest physical address 0 over scratch memory of this process.
#pragma once

#include "kvmapi/address.hpp"
#include "kvmapi/uapi/memory.hpp"

namespace conformance {

inline constexpr std::size_t kScratchBytes = 64 * kvmapi::kPageSize;
// Page aligned, shared by all slots that do not say otherwise.
kvmapi::u8* scratch_memory();

class SlotBuilder {
 public:
  explicit SlotBuilder(kvmapi::u32 number) {
    region_.slot = number;
    region_.memory_size = kvmapi::kPageSize;
    region_.userspace_addr = reinterpret_cast<kvmapi::u64>(scratch_memory());
  }

  SlotBuilder& gpa(kvmapi::u64 address) { return region_.guest_phys_addr = address, *this; }
  SlotBuilder& size(kvmapi::u64 bytes) { return region_.memory_size = bytes, *this; }
  SlotBuilder& host(kvmapi::u64 address) { return region_.userspace_addr = address, *this; }
  SlotBuilder& host(const void* address) { return host(reinterpret_cast<kvmapi::u64>(address)); }
  SlotBuilder& flags(kvmapi::u32 bits) { return region_.flags |= bits, *this; }
  SlotBuilder& log_dirty_pages() { return flags(1u << 0); }  // KVM_MEM_LOG_DIRTY_PAGES
  SlotBuilder& readonly() { return flags(1u << 1); }         // KVM_MEM_READONLY
  SlotBuilder& address_space(kvmapi::u32 id) { return region_.slot |= id << 16, *this; }

  operator const kvmapi::kvm_userspace_memory_region&() const { return region_; }  // NOLINT
  const kvmapi::kvm_userspace_memory_region& region() const { return region_; }

 private:
  kvmapi::kvm_userspace_memory_region region_{};
};

inline SlotBuilder slot(kvmapi::u32 number) { return SlotBuilder(number); }

}  // namespace conformance
