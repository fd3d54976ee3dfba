// The run loop, for cpu.cpp.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

Stop run_loop(Core& core, u64 max_instructions);
Stop run_one(Core& core);  // the instruction that waited for user space; Stop::budget: done

// Remaining device writes of a retired instruction; false: the next one needs user space (core.info).
bool finish_device_writes(Core& core);
// An instruction was finished outside the handlers: single-step trap, end of an interrupt shadow.
void finish_step(Core& core, bool trap, bool shadow);

}  // namespace mock::cpu
