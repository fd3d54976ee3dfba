// Hardware task switching. SDM vol. 3 chapter 7, APM vol. 2 chapter 12.
#pragma once

#include "mock/cpu/core.hpp"
#include "mock/cpu/descriptor.hpp"

namespace mock::cpu {

enum class TaskSwitch : u8 { jump, call, iret, event };

// Leaves the current task for the one that `selector` names. state.rip is what the old TSS gets as EIP. `error_code`,
// if any, is pushed on the new task's stack. Faults before the switch is decided leave everything unchanged; later ones
// are raised in the new task (state is then the new task's).
bool switch_task(Core& core, Selector selector, TaskSwitch reason, const u32* error_code);

}  // namespace mock::cpu
