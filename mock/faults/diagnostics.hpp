// One line for each thing that is not modelled, on request: MockOptions::log or the environment variable KVMMOCK_LOG,
// which is "stderr" or the name of a file to append to. Silent otherwise.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace mock {

class Diagnostics {
 public:
  // "" = as KVMMOCK_LOG says. A file that cannot be opened is reported once on stderr and logging stays off.
  explicit Diagnostics(std::string_view destination);
  ~Diagnostics();
  Diagnostics(const Diagnostics&) = delete;
  Diagnostics& operator=(const Diagnostics&) = delete;

  bool enabled() const { return fd_ >= 0; }
  // Writes "kvmmock: <line>\n" once per distinct line.
  void note(const std::string& line);

 private:
  int fd_ = -1;
  bool owns_fd_ = false;
  std::mutex mutex_;
  std::set<std::string> seen_;
};

}  // namespace mock
