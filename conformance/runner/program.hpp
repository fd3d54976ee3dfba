// kvm-conformance: the command line. main() adds the one thing this folder must not know: how to make a mock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "conformance/runner/implementation.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

// Exit statuses of every command.
enum ExitStatus : int {
  kAsExpected = 0,
  kFailed = 1,        // a failure or an xpass
  kUsage = 2,         // wrong arguments, or a file named there that cannot be used
  kBroken = 3,        // something in our own set-up broke, or a result could not be written
  kNotAvailable = 4,  // a required target is not there
};

struct ProgramSetup {
  Registry* registry = &Registry::global();
  // The mock as the named kernel ("" = its default). nullopt with `error` set for an unknown profile. Not set: no mock.
  std::function<std::optional<Implementation>(const std::string& profile, std::string& error)> make_mock;
  std::vector<std::string> profiles;  // names that make_mock takes
  // The expectations built in are about the tests of this folder; a program with other tests does without.
  bool has_linked_in_expectations = true;
};

int program(int argc, const char* const* argv, const ProgramSetup& setup);

}  // namespace conformance
