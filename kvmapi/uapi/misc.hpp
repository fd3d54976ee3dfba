// KVM ABI at kernel 7.3, x86-64. Clock, capabilities, devices, statistics, PMU filter, signal mask, one-register
// access. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_clock_data {
  u64 clock;
  u32 flags;
  u32 pad0;
  u64 realtime;
  u64 host_tsc;
  std::array<u32, 4> pad;
};
static_assert(sizeof(kvm_clock_data) == 48 && alignof(kvm_clock_data) == 8);

struct kvm_create_device {
  u32 type;
  u32 fd;
  u32 flags;
};
static_assert(sizeof(kvm_create_device) == 12 && alignof(kvm_create_device) == 4);

struct kvm_device_attr {
  u32 flags;
  u32 group;
  u64 attr;
  u64 addr;
};
static_assert(sizeof(kvm_device_attr) == 24 && alignof(kvm_device_attr) == 8);

struct kvm_enable_cap {
  u32 cap;
  u32 flags;
  std::array<u64, 4> args;
  std::array<u8, 64> pad;
};
static_assert(sizeof(kvm_enable_cap) == 104 && alignof(kvm_enable_cap) == 8);

struct kvm_one_reg {
  u64 id;
  u64 addr;
};
static_assert(sizeof(kvm_one_reg) == 16 && alignof(kvm_one_reg) == 8);

struct alignas(8) kvm_pmu_event_filter {
  u32 action;
  u32 nevents;
  u32 fixed_counter_bitmap;
  u32 flags;
  std::array<u32, 4> pad;
  // followed by __u64 events[]
};
static_assert(sizeof(kvm_pmu_event_filter) == 32 && alignof(kvm_pmu_event_filter) == 8);

struct kvm_reg_list {
  u64 n;
  // followed by __u64 reg[]
};
static_assert(sizeof(kvm_reg_list) == 8 && alignof(kvm_reg_list) == 8);

struct kvm_signal_mask {
  u32 len;
  // followed by __u8 sigset[]
};
static_assert(sizeof(kvm_signal_mask) == 4 && alignof(kvm_signal_mask) == 4);

struct kvm_stats_desc {
  u32 flags;
  s16 exponent;
  u16 size;
  u32 offset;
  u32 bucket_size;
  // followed by char name[]
};
static_assert(sizeof(kvm_stats_desc) == 16 && alignof(kvm_stats_desc) == 4);

struct kvm_stats_header {
  u32 flags;
  u32 name_size;
  u32 num_desc;
  u32 id_offset;
  u32 desc_offset;
  u32 data_offset;
};
static_assert(sizeof(kvm_stats_header) == 24 && alignof(kvm_stats_header) == 4);

}  // namespace kvmapi
