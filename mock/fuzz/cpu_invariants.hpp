// What must hold of a CPU whenever run() has returned, whatever the guest did.
#pragma once

#include "mock/fuzz/cpu_machine.hpp"

namespace mock::fuzz {

// Null: all is well. Else what is wrong.
const char* broken_invariant(CpuMachine& machine);
// Likewise, for every pointer that the translation and block caches hold: it leads to guest memory. Slower.
const char* broken_cache(CpuMachine& machine);

// Says what is impossible on standard error and ends the process.
[[noreturn]] void impossible(const char* what);

}  // namespace mock::fuzz
