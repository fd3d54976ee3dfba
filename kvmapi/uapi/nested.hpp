// KVM ABI at kernel 7.3, x86-64. Nested virtualisation state (KVM_GET/SET_NESTED_STATE). Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_nested_state {
  u16 flags;
  u16 format;
  u32 size;
  Overlay<120> hdr;
};
static_assert(sizeof(kvm_nested_state) == 128 && alignof(kvm_nested_state) == 8);

struct kvm_svm_nested_state_data {
  std::array<u8, 4096> vmcb12;
};
static_assert(sizeof(kvm_svm_nested_state_data) == 4096 && alignof(kvm_svm_nested_state_data) == 1);

struct kvm_svm_nested_state_hdr {
  u64 vmcb_pa;
  u64 gpat;
};
static_assert(sizeof(kvm_svm_nested_state_hdr) == 16 && alignof(kvm_svm_nested_state_hdr) == 8);

struct kvm_vmx_nested_state_data {
  std::array<u8, 4096> vmcs12;
  std::array<u8, 4096> shadow_vmcs12;
};
static_assert(sizeof(kvm_vmx_nested_state_data) == 8192 && alignof(kvm_vmx_nested_state_data) == 1);

struct kvm_vmx_nested_state_hdr_smm {
  u16 flags;
};

struct kvm_vmx_nested_state_hdr {
  u64 vmxon_pa;
  u64 vmcs12_pa;
  kvm_vmx_nested_state_hdr_smm smm;
  u16 pad;
  u32 flags;
  u64 preemption_timer_deadline;
};
static_assert(sizeof(kvm_vmx_nested_state_hdr) == 32 && alignof(kvm_vmx_nested_state_hdr) == 8);

}  // namespace kvmapi
