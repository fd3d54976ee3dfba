// The supervisor: runs tests in worker processes, several at a time. A test that hangs or takes its process down is
// reported under its own name, and the rest goes on in a new worker.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "conformance/runner/implementation.hpp"
#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

struct SupervisorOptions {
  unsigned jobs = 1;                     // workers at a time
  std::chrono::milliseconds timeout{0};  // for one test; 0: none
  int wake_fd = -1;                      // becomes readable when the run shall stop; -1: never
};

struct SupervisorCallbacks {
  std::function<void(const Test&)> on_start;
  std::function<void(TestEnd)> on_end;
  // Nothing happened for a while; the id of the test that runs longest, and for how many seconds.
  std::function<void(const std::string&, double)> on_quiet;
};

// True when every test was run, false when wake_fd ended it. on_end comes once for every test that was run to its end.
bool run_tests(const Implementation& implementation, const std::vector<const Test*>& tests,
               const SupervisorOptions& options, const SupervisorCallbacks& callbacks);

}  // namespace conformance
