// KVM ABI at kernel 7.3, x86-64. What KVM shares with a guest in the guest's memory: clocks, steal time, asynchronous
// page faults (msr.rst, hypercalls.rst). Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

// MSR_KVM_SYSTEM_TIME_NEW points at it. Odd version: KVM is writing.
struct pvclock_vcpu_time_info {
  u32 version;
  u32 pad0;
  u64 tsc_timestamp;
  u64 system_time;
  u32 tsc_to_system_mul;
  s8 tsc_shift;
  u8 flags;
  std::array<u8, 2> pad;
};
static_assert(sizeof(pvclock_vcpu_time_info) == 32 && alignof(pvclock_vcpu_time_info) == 8);

// MSR_KVM_WALL_CLOCK_NEW points at it.
struct pvclock_wall_clock {
  u32 version;
  u32 sec;
  u32 nsec;
};
static_assert(sizeof(pvclock_wall_clock) == 12 && alignof(pvclock_wall_clock) == 4);

// MSR_KVM_STEAL_TIME points at it.
struct kvm_steal_time {
  u64 steal;
  u32 version;
  u32 flags;
  u8 preempted;
  std::array<u8, 3> u8_pad;
  std::array<u32, 11> pad;
};
static_assert(sizeof(kvm_steal_time) == 64 && alignof(kvm_steal_time) == 8);

// The hypercall KVM_HC_CLOCK_PAIRING fills it.
struct kvm_clock_pairing {
  s64 sec;
  s64 nsec;
  u64 tsc;
  u32 flags;
  std::array<u32, 9> pad;
};
static_assert(sizeof(kvm_clock_pairing) == 64 && alignof(kvm_clock_pairing) == 8);

// MSR_KVM_ASYNC_PF_EN points at it.
struct kvm_vcpu_pv_apf_data {
  u32 flags;
  u32 token;
  std::array<u8, 56> pad;
};
static_assert(sizeof(kvm_vcpu_pv_apf_data) == 64 && alignof(kvm_vcpu_pv_apf_data) == 4);

}  // namespace kvmapi
