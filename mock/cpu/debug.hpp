// The guest's own breakpoints: what DR0-DR3 and DR7 say about an instruction or an access. SDM vol. 3 17.2-17.3, APM
// vol. 2 13.1. The engine asks only while DR7 enables something. Those on ports are never asked about: KVM intercepts
// port accesses and does not look at them. (Breakpoints of KVM_SET_GUEST_DEBUG are the owner's.)
#pragma once

#include "mock/cpu/state.hpp"

namespace mock::cpu {

enum class Watch : u8 { execute = 0, write = 1, port = 2, access = 3 };  // R/Wn of DR7

inline bool has_breakpoints(const State& state) { return state.dr7 & 0xff; }

// Whether one of the enabled breakpoints watches data.
bool watches_data(const State& state);

// The B0-B3 bits of DR6 for an event at a linear address (execute: size 1).
u64 breakpoint_hits(const State& state, Watch watch, u64 address, unsigned size_bytes);

}  // namespace mock::cpu
