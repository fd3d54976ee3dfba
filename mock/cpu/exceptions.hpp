// Delivery of exceptions and interrupts through IVT or IDT. SDM vol. 3 chapter 6.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// Delivers `event` with state.rip as the return address. Nested faults are resolved here (double fault, triple fault).
// True: RIP is at the handler. False: core.fault is a stop (shutdown, host_fault, ...).
bool deliver(Core& core, const Event& event);

}  // namespace mock::cpu
