// Running a program for the tests of this folder.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace conformance {

struct CommandResult {
  int status = -1;  // exit status, or 1000 + the signal that ended it
  std::string out, err;
};

struct CommandOptions {
  int signal = 0;  // sent after `signal_after`
  std::chrono::milliseconds signal_after{0};
  std::string stdout_path;  // instead of a pipe
};

// Ends with a message in `err` after 50 s.
CommandResult run_command_line(const std::vector<std::string>& arguments, const CommandOptions& options = {});

// The program under test with these arguments.
CommandResult selftest(std::vector<std::string> arguments, const CommandOptions& options = {});

// A path in a fresh folder of this test.
std::string temporary_path(const std::string& name);
std::string content_of(const std::string& path);

}  // namespace conformance
