#include "mock/faults/diagnostics.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace mock {

Diagnostics::Diagnostics(std::string_view destination) {
  std::string where(destination);
  if (where.empty()) {
    const char* variable = std::getenv("KVMMOCK_LOG");
    where = variable ? variable : "";
  }
  if (where.empty()) return;
  if (where == "stderr") {
    fd_ = STDERR_FILENO;
    return;
  }
  fd_ = ::open(where.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  owns_fd_ = fd_ >= 0;
  if (fd_ < 0) std::fprintf(stderr, "kvmmock: cannot open the log file %s: %m\n", where.c_str());
}

Diagnostics::~Diagnostics() {
  if (owns_fd_) ::close(fd_);
}

void Diagnostics::note(const std::string& line) {
  if (!enabled()) return;
  std::lock_guard lock(mutex_);
  if (!seen_.insert(line).second) return;
  const std::string text = "kvmmock: " + line + "\n";
  // A full disk loses the line, nothing else.
  [[maybe_unused]] ssize_t written = ::write(fd_, text.data(), text.size());
}

}  // namespace mock
