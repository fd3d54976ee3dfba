// KVM ABI at kernel 7.3, x86-64. Intel TDX commands passed to KVM_MEMORY_ENCRYPT_OP. Sizes and offsets:
// kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/cpuid.hpp"

namespace kvmapi {

struct kvm_tdx_capabilities {
  u64 supported_attrs;
  u64 supported_xfam;
  u64 kernel_tdvmcallinfo_1_r11;
  u64 user_tdvmcallinfo_1_r11;
  u64 kernel_tdvmcallinfo_1_r12;
  u64 user_tdvmcallinfo_1_r12;
  std::array<u64, 250> reserved;
  kvm_cpuid2 cpuid;
};
static_assert(sizeof(kvm_tdx_capabilities) == 2056 && alignof(kvm_tdx_capabilities) == 8);

struct kvm_tdx_cmd {
  u32 id;
  u32 flags;
  u64 data;
  u64 hw_error;
};
static_assert(sizeof(kvm_tdx_cmd) == 24 && alignof(kvm_tdx_cmd) == 8);

struct kvm_tdx_init_mem_region {
  u64 source_addr;
  u64 gpa;
  u64 nr_pages;
};
static_assert(sizeof(kvm_tdx_init_mem_region) == 24 && alignof(kvm_tdx_init_mem_region) == 8);

struct kvm_tdx_init_vm {
  u64 attributes;
  u64 xfam;
  std::array<u64, 6> mrconfigid;
  std::array<u64, 6> mrowner;
  std::array<u64, 6> mrownerconfig;
  std::array<u64, 12> reserved;
  kvm_cpuid2 cpuid;
};
static_assert(sizeof(kvm_tdx_init_vm) == 264 && alignof(kvm_tdx_init_vm) == 8);

}  // namespace kvmapi
