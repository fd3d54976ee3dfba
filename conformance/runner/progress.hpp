// Progress of a run: one line that changes on a terminal, a line now and then elsewhere, and a stream of JSON lines for
// programs.
#pragma once

#include <chrono>
#include <string>

#include "conformance/runner/report.hpp"
#include "conformance/support/outcome.hpp"

namespace conformance {

// The JSON lines of --progress-fd, each written at once:
//   {"event":"target","target":"kvm","planned":812}
//   {"event":"start","target":"kvm","id":"vm.create_vcpu.twice_is_eexist"}
//   {"event":"end","target":"kvm","id":"...","verdict":"pass","seconds":0.01,"message":"...","expectation":"..."}
//   {"event":"done","target":"kvm","complete":true}
class Progress {
 public:
  // `fd`: for JSON lines, -1 for none. `is_quiet`: nothing on standard error.
  Progress(int fd, bool is_quiet);

  void begin(const std::string& target, std::size_t planned);
  void start(const std::string& id);
  void end(const TestResult& result);
  void quiet(const std::string& id, double seconds);
  void done(bool is_complete);

 private:
  void show(bool is_forced);
  void clear();

  int fd_;
  bool is_quiet_;
  bool is_terminal_;
  std::string target_;
  std::string current_;
  std::size_t planned_ = 0, done_ = 0, failed_ = 0;
  std::chrono::steady_clock::time_point last_shown_{};
};

}  // namespace conformance
