// Runs a command as a user's shell would and catches what it says.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace mock::preload {

struct Outcome {
  int status = -1;  // exit status; 128 + n: killed by signal n; -1: it did not end in time and was killed
  std::string out, err;
};

class RunningProgram {
 public:
  // Starts it; `environment` are NAME=VALUE added to ours.
  explicit RunningProgram(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  pid_t pid() const { return pid_; }
  // Blocks until its standard output has this text.
  bool wait_for_output(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(20));
  void send(int signal) const;
  Outcome wait(std::chrono::seconds limit = std::chrono::seconds(60));

 private:
  bool pump(int timeout_ms);
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  Outcome outcome_;
};

Outcome run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});

}  // namespace mock::preload
