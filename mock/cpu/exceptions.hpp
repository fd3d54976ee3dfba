// Delivery of exceptions and interrupts through IVT or IDT. SDM vol. 3 chapter 6.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// Delivers `event` with state.rip as the return address (soft interrupts: RIP is already past the instruction, and
// event.instruction_length leads back to it). Nested faults are resolved here (double fault, triple fault).
// True: RIP is at the handler. False: core.fault is a stop (shutdown, host_fault, ...); except after a shutdown
// State::event keeps what could not be delivered.
bool deliver(Core& core, const Event& event);

// What becomes of a fault met while delivering another event (SDM vol. 3 table 6-5).
enum class Outcome : u8 { second, double_fault, shutdown };
Outcome combine(const Event& first, const Event& second);

}  // namespace mock::cpu
