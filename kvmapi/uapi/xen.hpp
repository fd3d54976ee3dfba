// KVM ABI at kernel 7.3, x86-64. Xen HVM emulation. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_xen_exit_hcall {
  u32 longmode;
  u32 cpl;
  u64 input;
  u64 result;
  std::array<u64, 6> params;
};

struct kvm_xen_exit {
  u32 type;
  Overlay<72> u;  // kvm_xen_exit_hcall
};
static_assert(sizeof(kvm_xen_exit) == 80 && alignof(kvm_xen_exit) == 8);

struct kvm_xen_hvm_attr_evtchn_port {
  u32 port;
  u32 vcpu;
  u32 priority;
};

struct kvm_xen_hvm_attr_evtchn_eventfd {
  u32 port;
  s32 fd;
};

struct kvm_xen_hvm_attr_evtchn {
  u32 send_port;
  u32 type;
  u32 flags;
  Overlay<16, u32> deliver;  // kvm_xen_hvm_attr_evtchn_port, _eventfd
};

struct kvm_xen_hvm_attr {
  u16 type;
  std::array<u16, 3> pad;
  Overlay<64> u;  // by type: u8 (long_mode, vector, runstate_update_flag), u64 (shared_info), u32 (xen_version),
                  // kvm_xen_hvm_attr_evtchn
};
static_assert(sizeof(kvm_xen_hvm_attr) == 72 && alignof(kvm_xen_hvm_attr) == 8);

struct kvm_xen_hvm_config {
  u32 flags;
  u32 msr;
  u64 blob_addr_32;
  u64 blob_addr_64;
  u8 blob_size_32;
  u8 blob_size_64;
  std::array<u8, 30> pad2;
};
static_assert(sizeof(kvm_xen_hvm_config) == 56 && alignof(kvm_xen_hvm_config) == 8);

struct kvm_xen_vcpu_attr_runstate {
  u64 state;
  u64 state_entry_time;
  u64 time_running;
  u64 time_runnable;
  u64 time_blocked;
  u64 time_offline;
};

struct kvm_xen_vcpu_attr_timer {
  u32 port;
  u32 priority;
  u64 expires_ns;
};

struct kvm_xen_vcpu_attr {
  u16 type;
  std::array<u16, 3> pad;
  Overlay<64> u;  // by type: u64 (gpa, hva), u32 (vcpu_id), u8 (vector), kvm_xen_vcpu_attr_runstate, _timer
};
static_assert(sizeof(kvm_xen_vcpu_attr) == 72 && alignof(kvm_xen_vcpu_attr) == 8);

}  // namespace kvmapi
