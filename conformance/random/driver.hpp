// Driver: runs one program in two worlds, exit by exit, and plays user space in both alike.
#pragma once

#include <functional>

#include "conformance/random/outcome.hpp"

namespace conformance::random {

// `different`: no limit explains it. `a` is the mock.
// `watch` sees both states at every exit.
using Watcher = std::function<void(const Snapshot& a, const Snapshot& b)>;
Outcome run_in_both(World& a, World& b, const Program& program, const Watcher& watch = {});

}  // namespace conformance::random
