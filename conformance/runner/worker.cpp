// The worker process. See worker.hpp.
#include "conformance/runner/worker.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "conformance/runner/run_one.hpp"

namespace conformance {
namespace {

struct Pipe {
  int read = -1;
  int write = -1;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return {fds[0], fds[1]};
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(1);  // the parent is gone
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void forget_parent_state(int output, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_DFL);
  unblock_signals();
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::setvbuf(stdout, nullptr, _IONBF, 0);
}

[[noreturn]] void worker_main(const Implementation& implementation, std::span<const Test* const> tests, int events) {
  Target target = implementation.target;
  const std::unique_ptr<kvmapi::Backend> backend = implementation.make_backend();
  kvmapi::TracedBackend trace(*backend);
  target.backend = &trace;
  for (const Test* test : tests) {
    WorkerEvent event{.is_start = true, .end = {.id = test->id}};
    write_all(events, to_line(event));
    unblock_signals();  // whatever the test before left behind
    [[maybe_unused]] const ssize_t marked = ::write(STDOUT_FILENO, &kOutputMark, 1);
    event = {.is_start = false, .end = run_one(*test, target, &trace)};
    write_all(events, to_line(event));
  }
  ::_exit(0);
}

}  // namespace

WorkerProcess start_worker(const Implementation& implementation, std::span<const Test* const> tests) {
  const Pipe events = make_pipe();
  const Pipe output = make_pipe();
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    ::close(events.read);
    ::close(output.read);
    forget_parent_state(output.write, parent);
    ::close(output.write);
    worker_main(implementation, tests, events.write);
  }
  ::setpgid(pid, pid);
  ::close(events.write);
  ::close(output.write);
  ::fcntl(events.read, F_SETFL, O_NONBLOCK);
  ::fcntl(output.read, F_SETFL, O_NONBLOCK);
  return {pid, {events.read, output.read}};
}

std::string to_line(const WorkerEvent& event) {
  nlohmann::json json{{"id", event.end.id}};
  if (!event.is_start) {
    json["ending"] = name(event.end.ending);
    json["message"] = event.end.message;
    json["seconds"] = event.end.seconds;
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::optional<WorkerEvent> parse_event(std::string_view line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("id") || !json["id"].is_string()) return std::nullopt;
  WorkerEvent event{.is_start = !json.contains("ending"), .end = {.id = json["id"]}};
  if (event.is_start) return event;
  const auto ending = ending_from_name(json.value("ending", ""));
  if (!ending) return std::nullopt;
  event.end.ending = *ending;
  event.end.message = json.value("message", "");
  event.end.seconds = json.value("seconds", 0.0);
  return event;
}

}  // namespace conformance
