// Smaller programs that differ in the same way.
#pragma once

#include "conformance/random/driver.hpp"

namespace conformance::random {

// What a difference is about, without the values: "regs.rflags", "exit_reason KVM_EXIT_HLT KVM_EXIT_SHUTDOWN".
std::string kind_of(const Outcome& outcome);

// `program` with as few chunks as still show a difference of the same kind.
Program reduce(World& a, World& b, const Program& program, const Outcome& outcome);

}  // namespace conformance::random
