// KVM ABI at kernel 7.3, x86-64. CPUID tables. Sizes and offsets: kvmapi/layout.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

struct kvm_cpuid_entry {
  u32 function;
  u32 eax;
  u32 ebx;
  u32 ecx;
  u32 edx;
  u32 padding;
};
static_assert(sizeof(kvm_cpuid_entry) == 24 && alignof(kvm_cpuid_entry) == 4);

struct kvm_cpuid {
  u32 nent;
  u32 padding;
  // followed by kvm_cpuid_entry entries[]
};
static_assert(sizeof(kvm_cpuid) == 8 && alignof(kvm_cpuid) == 4);

struct kvm_cpuid_entry2 {
  u32 function;
  u32 index;
  u32 flags;
  u32 eax;
  u32 ebx;
  u32 ecx;
  u32 edx;
  std::array<u32, 3> padding;
};
static_assert(sizeof(kvm_cpuid_entry2) == 40 && alignof(kvm_cpuid_entry2) == 4);

struct kvm_cpuid2 {
  u32 nent;
  u32 padding;
  // followed by kvm_cpuid_entry2 entries[]
};
static_assert(sizeof(kvm_cpuid2) == 8 && alignof(kvm_cpuid2) == 4);

}  // namespace kvmapi
