// Runs one test in this process and says how it ended. Assertion failures of GoogleTest are collected, whichever thread
// made them.
#pragma once

#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"
#include "conformance/support/target.hpp"

namespace conformance {

TestEnd run_one(const Test& test, const Target& target);

}  // namespace conformance
