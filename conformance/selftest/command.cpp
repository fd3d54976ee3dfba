// Running a program. See command.hpp.
#include "conformance/selftest/command.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace conformance {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{50};

[[noreturn]] void become(const std::vector<std::string>& arguments, int out, int err) {
  ::dup2(out, 1);
  ::dup2(err, 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

bool read_some(int fd, std::string& into) {
  char buffer[8192];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
  return got > 0;
}

}  // namespace

CommandResult run_command_line(const std::vector<std::string>& arguments, const CommandOptions& options) {
  CommandResult result;
  int out[2], err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) return result;
  const int file = options.stdout_path.empty() ? -1 : ::open(options.stdout_path.c_str(), O_WRONLY | O_CLOEXEC);
  const pid_t pid = ::fork();
  if (pid == 0) become(arguments, file >= 0 ? file : out[1], err[1]);
  ::close(out[1]);
  ::close(err[1]);
  if (file >= 0) ::close(file);
  const auto begin = Clock::now();
  bool is_signal_due = options.signal != 0;
  pollfd fds[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    ::poll(fds, 2, 20);
    if (fds[0].revents != 0 && !read_some(out[0], result.out)) fds[0].fd = -1;
    if (fds[1].revents != 0 && !read_some(err[0], result.err)) fds[1].fd = -1;
    if (is_signal_due && Clock::now() - begin > options.signal_after) {
      ::kill(pid, options.signal);
      is_signal_due = false;
    }
    if (Clock::now() - begin > kPatience) {
      ::kill(pid, SIGKILL);
      result.err += "\n(the test lost its patience)";
      break;
    }
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  ::close(out[0]);
  ::close(err[0]);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  return result;
}

CommandResult selftest(std::vector<std::string> arguments, const CommandOptions& options) {
  arguments.insert(arguments.begin(), SELFTEST_PROGRAM);
  return run_command_line(arguments, options);
}

std::string temporary_path(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const auto folder = std::filesystem::path(::testing::TempDir()) /
                      ("kvm-e2e-" + std::to_string(::getpid()) + "-" + std::string(test->name()));
  std::filesystem::create_directories(folder);
  return (folder / name).string();
}

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace conformance
