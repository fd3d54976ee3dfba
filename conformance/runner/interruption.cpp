// Signals by a pipe. See interruption.hpp.
#include "conformance/runner/interruption.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

namespace conformance {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
int pipe_fds[2] = {-1, -1};
std::atomic<int> received{0};

void on_signal(int signal) {
  const int saved = errno;
  received.store(signal);
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = ::write(pipe_fds[1], &byte, 1);
  errno = saved;
}

}  // namespace

Interruption::Interruption() {
  received.store(0);
  if (::pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) != 0) pipe_fds[0] = pipe_fds[1] = -1;
  struct sigaction action {};
  action.sa_handler = on_signal;
  for (int signal : kSignals) ::sigaction(signal, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

Interruption::~Interruption() {
  for (int signal : kSignals) ::signal(signal, SIG_DFL);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

int Interruption::fd() const { return pipe_fds[0]; }
int Interruption::signal_number() const { return received.load(); }

}  // namespace conformance
