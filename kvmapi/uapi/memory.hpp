// KVM ABI at kernel 7.3, x86-64. Memory slots, dirty logging, coalesced MMIO, guest_memfd. Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_clear_dirty_log {
  u32 slot;
  u32 num_pages;
  u64 first_page;
  u64 dirty_bitmap;
};
static_assert(sizeof(kvm_clear_dirty_log) == 24 && alignof(kvm_clear_dirty_log) == 8);

struct kvm_coalesced_mmio {
  u64 phys_addr;
  u32 len;
  u32 pio;
  std::array<u8, 8> data;
};
static_assert(sizeof(kvm_coalesced_mmio) == 24 && alignof(kvm_coalesced_mmio) == 8);

struct alignas(8) kvm_coalesced_mmio_ring {
  u32 first;
  u32 last;
  // followed by kvm_coalesced_mmio coalesced_mmio[]
};
static_assert(sizeof(kvm_coalesced_mmio_ring) == 8 && alignof(kvm_coalesced_mmio_ring) == 8);

struct kvm_coalesced_mmio_zone {
  u64 addr;
  u32 size;
  u32 pio;
};
static_assert(sizeof(kvm_coalesced_mmio_zone) == 16 && alignof(kvm_coalesced_mmio_zone) == 8);

struct kvm_create_guest_memfd {
  u64 size;
  u64 flags;
  std::array<u64, 6> reserved;
};
static_assert(sizeof(kvm_create_guest_memfd) == 64 && alignof(kvm_create_guest_memfd) == 8);

struct kvm_dirty_gfn {
  u32 flags;
  u32 slot;
  u64 offset;
};
static_assert(sizeof(kvm_dirty_gfn) == 16 && alignof(kvm_dirty_gfn) == 8);

struct kvm_dirty_log {
  u32 slot;
  u32 padding1;
  u64 dirty_bitmap;
};
static_assert(sizeof(kvm_dirty_log) == 16 && alignof(kvm_dirty_log) == 8);

struct kvm_memory_attributes {
  u64 address;
  u64 size;
  u64 attributes;
  u64 flags;
};
static_assert(sizeof(kvm_memory_attributes) == 32 && alignof(kvm_memory_attributes) == 8);

struct kvm_pre_fault_memory {
  u64 gpa;
  u64 size;
  u64 flags;
  std::array<u64, 5> padding;
};
static_assert(sizeof(kvm_pre_fault_memory) == 64 && alignof(kvm_pre_fault_memory) == 8);

struct kvm_userspace_memory_region {
  u32 slot;
  u32 flags;
  u64 guest_phys_addr;
  u64 memory_size;
  u64 userspace_addr;
};
static_assert(sizeof(kvm_userspace_memory_region) == 32 && alignof(kvm_userspace_memory_region) == 8);

struct kvm_userspace_memory_region2 {
  u32 slot;
  u32 flags;
  u64 guest_phys_addr;
  u64 memory_size;
  u64 userspace_addr;
  u64 guest_memfd_offset;
  u32 guest_memfd;
  u32 pad1;
  std::array<u64, 14> pad2;
};
static_assert(sizeof(kvm_userspace_memory_region2) == 160 && alignof(kvm_userspace_memory_region2) == 8);

}  // namespace kvmapi
