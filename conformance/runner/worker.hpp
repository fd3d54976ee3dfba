// A worker: a child process that runs a few tests one after the other and reports each start and end over a pipe, so
// that the parent knows what was running when it died.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "conformance/runner/implementation.hpp"
#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

struct WorkerPipes {
  int events = -1;  // read end: lines for parse_event()
  int output = -1;  // read end: what the tests print
};

struct WorkerProcess {
  pid_t pid = -1;
  WorkerPipes pipes;
};

// Forks. The child leads a process group of its own. Throws std::system_error when there is no process or pipe to be
// had.
WorkerProcess start_worker(const Implementation& implementation, std::span<const Test* const> tests);

// Stands before each test's part of the output.
inline constexpr char kOutputMark = '\x1e';

struct WorkerEvent {
  bool is_start = false;
  TestEnd end;  // only the id for a start
};
std::string to_line(const WorkerEvent& event);
std::optional<WorkerEvent> parse_event(std::string_view line);

}  // namespace conformance
