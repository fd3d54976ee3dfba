// Where two worlds differ after the same steps.
#pragma once

#include <string>
#include <vector>

#include "conformance/random/world.hpp"
#include "kvmapi/print.hpp"

namespace conformance::random {

using kvmapi::FieldDifference;

// Empty: nothing that can be seen differs. `a` and `b` may be changed where a value is undefined.
std::vector<FieldDifference> compare(const Snapshot& a, const Snapshot& b, std::span<const u8> memory_a,
                                     std::span<const u8> memory_b);

// "KVM_EXIT_HLT in the handler of vector 13", "EINTR".
std::string describe_exit(const Snapshot& snapshot);

}  // namespace conformance::random
