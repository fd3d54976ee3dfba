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

struct kvm_hyperv_exit {
  u32 type;
  u32 pad1;
  Overlay<48> u;
};
static_assert(sizeof(kvm_hyperv_exit) == 56 && alignof(kvm_hyperv_exit) == 8);

}  // namespace kvmapi
