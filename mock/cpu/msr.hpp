// The model-specific registers that the core keeps in State, as one table. RDMSR, WRMSR and the owner (KVM_GET_MSRS,
// KVM_SET_MSRS) go through the same two functions; every other MSR belongs to Bus::read_msr / write_msr.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

enum class MsrAnswer : u8 {
  done,
  fault,      // #GP(0) for the guest, a refused entry for the owner
  elsewhere,  // not one of the core's
};

enum class MsrBy : u8 { guest, owner };

// The owner may also set what a guest may not: EFER.LMA, EFER bits while paging is on. State::tsc_offset makes
// IA32_TSC: the guest's counter is Bus::read_tsc() + tsc_offset.
MsrAnswer read_core_msr(const Core& core, u32 index, u64& value);
MsrAnswer write_core_msr(Core& core, u32 index, u64 value, MsrBy by);

}  // namespace mock::cpu
