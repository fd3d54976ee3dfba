// Limits: what the emulated hardware of the lab, or a kernel's instruction emulator, is known to do otherwise than a
// processor. A difference that one of them explains is counted under its name.
#pragma once

#include <span>
#include <string_view>

#include "conformance/random/outcome.hpp"

namespace conformance::random {

struct Limit {
  std::string_view name;
  std::string_view reason;  // what differs, and the source that says what is right
};

struct Explanation {
  std::vector<std::string_view> limits;  // empty: nothing explains it
  bool goes_on = false;                  // the kernel's memory can be made as the mock's, and the program goes on
};

// World a is the mock.
Explanation explain(const Program& program, const Outcome& outcome, std::span<const u8> ram_a,
                    std::span<const u8> ram_b);

}  // namespace conformance::random
