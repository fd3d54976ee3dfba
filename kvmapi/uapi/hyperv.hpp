// KVM ABI at kernel 7.3, x86-64. Hyper-V emulation. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_hyperv_eventfd {
  u32 conn_id;
  s32 fd;
  u32 flags;
  std::array<u32, 3> padding;
};
static_assert(sizeof(kvm_hyperv_eventfd) == 24 && alignof(kvm_hyperv_eventfd) == 4);

struct kvm_hyperv_exit_synic {
  u32 msr;
  u32 pad2;
  u64 control;
  u64 evt_page;
  u64 msg_page;
};

struct kvm_hyperv_exit_hcall {
  u64 input;
  u64 result;
  std::array<u64, 2> params;
};

struct kvm_hyperv_exit_syndbg {
  u32 msr;
  u32 pad2;
  u64 control;
  u64 status;
  u64 send_page;
  u64 recv_page;
  u64 pending_page;
};

struct kvm_hyperv_exit {
  u32 type;
  u32 pad1;
  Overlay<48> u;  // kvm_hyperv_exit_synic, _hcall, _syndbg: by type
};
static_assert(sizeof(kvm_hyperv_exit) == 56 && alignof(kvm_hyperv_exit) == 8);

}  // namespace kvmapi
