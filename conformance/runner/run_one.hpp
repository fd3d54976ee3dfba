// Runs one test in this process and says how it ended. Assertion failures of GoogleTest are collected, whichever thread
// made them.
#pragma once

#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"
#include "conformance/support/target.hpp"
#include "kvmapi/traced_backend.hpp"

namespace conformance {

// `trace`: the target's backend, if it remembers calls; a failure then shows the last ones.
TestEnd run_one(const Test& test, const Target& target, kvmapi::TracedBackend* trace = nullptr);

// The last `count` calls, one per line, long ones shortened.
std::string shown_calls(const kvmapi::TracedBackend& trace, std::size_t count);

}  // namespace conformance
