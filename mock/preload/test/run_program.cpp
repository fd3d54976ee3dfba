#include "mock/preload/test/run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace mock::preload {

using Clock = std::chrono::steady_clock;

RunningProgram::RunningProgram(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  std::array<int, 2> out, err;
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out[1], 1);
    dup2(err[1], 2);
    for (const std::string& setting : environment) putenv(const_cast<char*>(setting.c_str()));
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  out_ = out[0];
  err_ = err[0];
}

RunningProgram::~RunningProgram() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) close(out_);
  if (err_ >= 0) close(err_);
}

// Reads what is there; false when both ends are closed.
bool RunningProgram::pump(int timeout_ms) {
  if (out_ < 0 && err_ < 0) return false;
  std::array<pollfd, 2> fds = {pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
  if (poll(fds.data(), fds.size(), timeout_ms) < 0) return true;
  bool is_open = false;
  for (unsigned i = 0; i < 2; ++i) {
    int& fd = i == 0 ? out_ : err_;
    if (fd < 0) continue;
    is_open = true;
    if (fds[i].revents == 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got > 0) {
      (i == 0 ? outcome_.out : outcome_.err).append(buffer.data(), static_cast<std::size_t>(got));
    } else {
      close(fd);
      fd = -1;
    }
  }
  return is_open;
}

bool RunningProgram::wait_for_output(const std::string& text, std::chrono::seconds limit) {
  const auto deadline = Clock::now() + limit;
  while (outcome_.out.find(text) == std::string::npos) {
    if (Clock::now() > deadline || !pump(100)) return outcome_.out.find(text) != std::string::npos;
  }
  return true;
}

void RunningProgram::send(int signal) const { kill(pid_, signal); }

Outcome RunningProgram::wait(std::chrono::seconds limit) {
  const auto deadline = Clock::now() + limit;
  while (pump(100)) {
    if (Clock::now() > deadline) {
      kill(pid_, SIGKILL);
      break;
    }
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (Clock::now() <= deadline) outcome_.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome_;
}

Outcome run_program(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  return RunningProgram(command, environment).wait();
}

}  // namespace mock::preload
