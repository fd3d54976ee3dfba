// Writes to control registers, EFER and XCR0 with all their checks and consequences: MOV CRn, LMSW, WRMSR and the owner
// use the same functions. SDM vol. 3 2.5, 4.10.4, 9.9; APM vol. 2 3.1. Faults: #GP(0).
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

inline constexpr u64 kCr0Defined =
    CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;

bool set_cr0(Core& core, u64 value);
bool set_cr3(Core& core, u64 value);
bool set_cr4(Core& core, u64 value);
bool set_efer(Core& core, u64 value);
bool set_xcr0(Core& core, u64 value);

// What a write to DR6 or DR7 leaves in it: reserved bits fixed.
u64 fixed_dr6(u64 value);
u64 fixed_dr7(u64 value);

}  // namespace mock::cpu
