// A question in a child process. See in_child.hpp.
#include "conformance/runner/in_child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

namespace conformance {
namespace {

[[noreturn]] void answer(const std::function<std::string()>& question, int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string text;
  int status = 0;
  try {
    text = question();
  } catch (const std::exception& error) {
    text = error.what();
    status = 1;
  }
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) ::_exit(1);
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  ::_exit(status);
}

// False when the deadline passes first.
bool read_all(int fd, std::string& text, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd poll_fd{fd, POLLIN, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[65536];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return true;
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const char* text = sigdescr_np(WTERMSIG(status));
    const char* name = sigabbrev_np(WTERMSIG(status));
    return fmt::format("killed by SIG{} ({})", name != nullptr ? name : std::to_string(WTERMSIG(status)),
                       text != nullptr ? text : "unknown signal");
  }
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

ChildAnswer ask_in_child(const std::function<std::string()>& question, std::chrono::milliseconds timeout) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return {false, fmt::format("no pipe: {}", std::strerror(errno))};
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) {
    ::close(fds[0]);
    ::close(fds[1]);
    return {false, fmt::format("no process: {}", std::strerror(errno))};
  }
  if (pid == 0) answer(question, fds[1]);
  ::close(fds[1]);
  ChildAnswer result;
  const bool is_in_time = read_all(fds[0], result.text, std::chrono::steady_clock::now() + timeout);
  ::close(fds[0]);
  int status = 0;
  if (!is_in_time) {
    ::kill(pid, SIGKILL);
    for (int i = 0; i < 100 && ::waitpid(pid, &status, WNOHANG) == 0; ++i) ::usleep(10'000);
    return {false, fmt::format("no answer within {} s", static_cast<double>(timeout.count()) / 1000)};
  }
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.is_ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!result.is_ok && (WIFSIGNALED(status) || result.text.empty())) {
    result.text = fmt::format("the process that asked was {}", how_it_ended(status));
  }
  return result;
}

}  // namespace conformance
