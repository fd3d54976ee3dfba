// Constants of the KVM ABI at kernel 7.3 as kvmapi::kMemLogDirtyPages and so on. Table: kvmapi/uapi/constants.def.
#pragma once

#include "kvmapi/types.hpp"

namespace kvmapi {

#define CONSTANT(group, c_name, name, type, value) inline constexpr type name = value;
#include "kvmapi/uapi/constants.def"

// The identifier of a register for KVM_GET_ONE_REG and KVM_SET_ONE_REG on x86 (kernels from 7.x).
constexpr u64 x86_msr_reg(u32 msr) { return kRegX86 | kRegSizeU64 | (u64{kX86RegTypeMsr} << 32) | msr; }
constexpr u64 x86_kvm_reg(u32 index) { return kRegX86 | kRegSizeU64 | (u64{kX86RegTypeKvm} << 32) | index; }

// An entry of kvm_pmu_event_filter with kPmuEventFlagMaskedEvents.
constexpr u64 masked_pmu_event(u64 event_select, u8 mask, u8 match, bool exclude) {
  return (event_select & 0xff) | ((event_select & 0xf00) << 24) | (u64{mask} << 56) | (u64{match} << 8) |
         (exclude ? kPmuMaskedEntryExclude : 0);
}

}  // namespace kvmapi
