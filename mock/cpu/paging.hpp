// Linear to physical translation as the guest's page tables say it. SDM vol. 3 chapter 4.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// Translates one access. Sets accessed (and for writes dirty) bits. user: the access counts as CPL 3. With paging off
// the translation is the identity. On false a #PF (or host_fault / device stop for the tables themselves) is recorded
// in the core.
bool walk(Core& core, u64 linear, Access access, Privilege privilege, Translation& out);

// The same without side effects and with supervisor rights; false: not mapped.
bool translate_debug(Core& core, u64 linear, u64& gpa);

}  // namespace mock::cpu
