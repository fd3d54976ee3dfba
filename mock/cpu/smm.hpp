// System management mode: entry on an SMI, RSM. APM vol. 2 chapter 10; what is left open there is KVM's (enter_smm()
// and emulator_leave_smm() in arch/x86/kvm/smm.c): no I/O restart, no auto-halt restart, IDTR cleared on entry.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// Saves the state at SMBASE + FE00h and starts the handler at SMBASE + 8000h. False: the save state has no memory
// (Stop::no_save_state); the CPU is in SMM nevertheless.
bool enter_smm(Core& core);

// #UD outside SMM; Stop::bad_save_state if the save state cannot be read or is one that no CPU can be in.
bool rsm(Core& core, const Op& op);

}  // namespace mock::cpu
