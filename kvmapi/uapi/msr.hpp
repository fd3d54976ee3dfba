// KVM ABI at kernel 7.3, x86-64. Model specific registers: lists, values, the MSR filter. Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_msr_entry {
  u32 index;
  u32 reserved;
  u64 data;
};
static_assert(sizeof(kvm_msr_entry) == 16 && alignof(kvm_msr_entry) == 8);

struct kvm_msr_filter_range {
  u32 flags;
  u32 nmsrs;
  u32 base;
  u64 bitmap;
};
static_assert(sizeof(kvm_msr_filter_range) == 24 && alignof(kvm_msr_filter_range) == 8);

struct kvm_msr_filter {
  u32 flags;
  std::array<kvm_msr_filter_range, 16> ranges;
};
static_assert(sizeof(kvm_msr_filter) == 392 && alignof(kvm_msr_filter) == 8);

struct kvm_msr_list {
  u32 nmsrs;
  // followed by __u32 indices[]
};
static_assert(sizeof(kvm_msr_list) == 4 && alignof(kvm_msr_list) == 4);

struct alignas(8) kvm_msrs {
  u32 nmsrs;
  u32 pad;
  // followed by kvm_msr_entry entries[]
};
static_assert(sizeof(kvm_msrs) == 8 && alignof(kvm_msrs) == 8);

}  // namespace kvmapi
