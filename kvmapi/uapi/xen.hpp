// KVM ABI at kernel 7.3, x86-64. Xen HVM emulation. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_xen_exit {
  u32 type;
  Overlay<72> u;
};
static_assert(sizeof(kvm_xen_exit) == 80 && alignof(kvm_xen_exit) == 8);

struct kvm_xen_hvm_attr {
  u16 type;
  std::array<u16, 3> pad;
  Overlay<64> u;
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

struct kvm_xen_vcpu_attr {
  u16 type;
  std::array<u16, 3> pad;
  Overlay<64> u;
};
static_assert(sizeof(kvm_xen_vcpu_attr) == 72 && alignof(kvm_xen_vcpu_attr) == 8);

}  // namespace kvmapi
