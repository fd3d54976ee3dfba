// Scheduling of workers. See supervisor.hpp.
#include "conformance/runner/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <deque>
#include <list>
#include <span>

#include "conformance/runner/in_child.hpp"
#include "conformance/runner/worker.hpp"

namespace conformance {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kLargestBatch = 64;
constexpr std::size_t kKeptOutputBytes = 6000;
constexpr milliseconds kGraceAfterKill{3000};
constexpr milliseconds kQuiet{10'000};

struct Worker {
  std::vector<const Test*> tests;
  std::size_t done = 0;       // tests[0..done) have ended
  bool is_in_test = false;    // tests[done] has started
  bool is_killed = false;     // for taking too long
  Clock::time_point since{};  // start of the test, or of the worker, or of the kill
  WorkerProcess process;
  int pid_fd = -1;
  std::string partial_line;
  std::string output;
};

// Reads what is there. False at the end of the stream.
bool drain(int fd, std::string& into) {
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) {
      into.append(buffer, static_cast<std::size_t>(got));
    } else if (got == 0) {
      return false;
    } else if (errno != EINTR) {
      return true;
    }
  }
}

class Supervisor {
 public:
  Supervisor(const Implementation& implementation, const std::vector<const Test*>& tests,
             const SupervisorOptions& options, const SupervisorCallbacks& callbacks)
      : implementation_(implementation), queue_(tests.begin(), tests.end()), options_(options), callbacks_(callbacks) {}

  ~Supervisor() { stop(); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  bool run() {
    last_event_ = Clock::now();
    for (;;) {
      while (workers_.size() < std::max(1u, options_.jobs) && !queue_.empty()) start();
      if (workers_.empty()) return true;
      if (!wait_for_something()) {
        stop();
        return false;
      }
      for (auto worker = workers_.begin(); worker != workers_.end();) {
        const bool is_gone = serve(*worker);
        worker = is_gone ? workers_.erase(worker) : std::next(worker);
      }
    }
  }

 private:
  void start() {
    const std::size_t share = queue_.size() / (std::max(1u, options_.jobs) * 4);
    const std::size_t count = std::min(queue_.size(), std::clamp<std::size_t>(share, 1, kLargestBatch));
    Worker worker;
    worker.tests.assign(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    worker.process = start_worker(implementation_, worker.tests);
    worker.pid_fd = static_cast<int>(::syscall(SYS_pidfd_open, worker.process.pid, 0));
    worker.since = Clock::now();
    workers_.push_back(std::move(worker));
  }

  // False when the run shall stop.
  bool wait_for_something() {
    std::vector<pollfd> fds;
    milliseconds wait{1000};
    const auto now = Clock::now();
    for (const Worker& worker : workers_) {
      fds.push_back({worker.process.pipes.events, POLLIN, 0});
      fds.push_back({worker.process.pipes.output, POLLIN, 0});
      if (worker.pid_fd >= 0) fds.push_back({worker.pid_fd, POLLIN, 0});
      if (worker.pid_fd < 0 || worker.is_killed) wait = std::min(wait, milliseconds{50});
      if (options_.timeout.count() != 0) {
        const auto left = std::chrono::duration_cast<milliseconds>(worker.since + options_.timeout - now);
        wait = std::clamp(left, milliseconds{0}, wait);
      }
    }
    if (options_.wake_fd >= 0) fds.push_back({options_.wake_fd, POLLIN, 0});
    ::poll(fds.data(), fds.size(), static_cast<int>(wait.count()) + 1);
    if (Clock::now() - last_event_ > kQuiet) tell_quiet();
    return options_.wake_fd < 0 || (fds.back().revents & POLLIN) == 0;
  }

  void tell_quiet() {
    last_event_ = Clock::now();
    const Worker* oldest = nullptr;
    for (const Worker& worker : workers_) {
      if (worker.is_in_test && (oldest == nullptr || worker.since < oldest->since)) oldest = &worker;
    }
    if (oldest == nullptr || !callbacks_.on_quiet) return;
    callbacks_.on_quiet(oldest->tests[oldest->done]->id,
                        std::chrono::duration<double>(last_event_ - oldest->since).count());
  }

  // True when the worker is gone.
  bool serve(Worker& worker) {
    int status = 0;
    siginfo_t info{};
    // The zombie is kept until the pipe is empty and its group is gone, so that the number cannot be used again.
    const bool has_ended =
        ::waitid(P_PID, static_cast<id_t>(worker.process.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0;
    read_output(worker);
    read_events(worker);
    if (has_ended) {
      ::kill(-worker.process.pid, SIGKILL);
      ::waitpid(worker.process.pid, &status, 0);
      finish(worker, how_it_ended(status), WIFEXITED(status) && WEXITSTATUS(status) == 0);
      return true;
    }
    const auto age = Clock::now() - worker.since;
    if (worker.is_killed) {
      if (age < kGraceAfterKill) return false;
      finish(worker, "stuck in the kernel: SIGKILL does not end it", false);
      return true;
    }
    if (options_.timeout.count() != 0 && age > options_.timeout) {
      ::kill(-worker.process.pid, SIGKILL);
      worker.is_killed = true;
      worker.since = Clock::now();
    }
    return false;
  }

  // A test that prints without end must not fill the memory of this process: of its part only the tail is kept.
  void read_output(Worker& worker) {
    drain(worker.process.pipes.output, worker.output);
    const std::size_t begin = std::min(worker.output.rfind(kOutputMark), worker.output.size());
    if (worker.output.size() - begin > 4 * kKeptOutputBytes) {
      worker.output.erase(begin + 1, worker.output.size() - begin - 1 - kKeptOutputBytes);
    }
  }

  // What the test that ends now printed, taken out of the worker's output. Every test begins with a mark.
  std::string take_output(Worker& worker) {
    read_output(worker);
    const auto begin = worker.output.find(kOutputMark);
    if (begin == std::string::npos) return "";
    const auto end = std::min(worker.output.find(kOutputMark, begin + 1), worker.output.size());
    std::string text = worker.output.substr(begin + 1, end - begin - 1);
    worker.output.erase(0, end);
    return text;
  }

  void read_events(Worker& worker) {
    drain(worker.process.pipes.events, worker.partial_line);
    std::size_t begin = 0;
    for (;;) {
      const auto end = worker.partial_line.find('\n', begin);
      if (end == std::string::npos) break;
      const auto event = parse_event(std::string_view(worker.partial_line).substr(begin, end - begin));
      if (event) take(worker, *event);
      begin = end + 1;
    }
    worker.partial_line.erase(0, begin);
  }

  void take(Worker& worker, const WorkerEvent& event) {
    if (worker.done >= worker.tests.size() || worker.tests[worker.done]->id != event.end.id) return;
    last_event_ = Clock::now();
    if (!worker.is_killed) worker.since = last_event_;
    if (event.is_start) {
      worker.is_in_test = true;
      if (callbacks_.on_start) callbacks_.on_start(*worker.tests[worker.done]);
      return;
    }
    worker.is_in_test = false;
    ++worker.done;
    failed_starts_ = 0;
    const std::string output = take_output(worker);
    report(event.end, event.end.ending == Ending::fail ? output : "");
  }

  void report(TestEnd end, const std::string& output) {
    if (!output.empty()) {
      const std::size_t skipped = output.size() > kKeptOutputBytes ? output.size() - kKeptOutputBytes : 0;
      end.message += "\nit printed:\n" + output.substr(skipped);
      while (end.message.back() == '\n') end.message.pop_back();
    }
    callbacks_.on_end(std::move(end));
  }

  // The process is gone (or given up): the test it was in has failed, those not begun go back to the queue.
  void finish(Worker& worker, const std::string& how, bool is_clean_exit) {
    if (worker.is_in_test) {
      const double seconds = std::chrono::duration<double>(Clock::now() - worker.since).count();
      TestEnd end{.id = worker.tests[worker.done]->id, .ending = Ending::fail, .seconds = seconds};
      if (worker.is_killed) {
        end.seconds = std::chrono::duration<double>(options_.timeout).count();
        end.message = fmt::format("hang: still running after {} s; its process was {}", end.seconds, how);
      } else {
        end.message = fmt::format("crash: its process was {} in the middle of the test", how);
      }
      ++worker.done;
      failed_starts_ = 0;
      report(std::move(end), take_output(worker));
    } else if (worker.done < worker.tests.size() && ++failed_starts_ >= 3) {
      TestEnd end{.id = worker.tests[worker.done]->id, .ending = Ending::broken};
      end.message =
          fmt::format("the worker process {} before the test began", is_clean_exit ? "went away" : "was " + how);
      ++worker.done;
      report(std::move(end), worker.output);
    }
    queue_.insert(queue_.begin(), worker.tests.begin() + static_cast<std::ptrdiff_t>(worker.done), worker.tests.end());
    close(worker);
  }

  static void close(const Worker& worker) {
    ::close(worker.process.pipes.events);
    ::close(worker.process.pipes.output);
    if (worker.pid_fd >= 0) ::close(worker.pid_fd);
  }

  // Ends all workers. What their tests reported by now is not lost.
  void stop() {
    for (Worker& worker : workers_) {
      read_events(worker);
      ::kill(-worker.process.pid, SIGKILL);
    }
    for (Worker& worker : workers_) {
      const auto deadline = Clock::now() + kGraceAfterKill;
      while (::waitpid(worker.process.pid, nullptr, WNOHANG) == 0 && Clock::now() < deadline) ::usleep(10'000);
      close(worker);
    }
    workers_.clear();
  }

  const Implementation& implementation_;
  std::deque<const Test*> queue_;
  const SupervisorOptions& options_;
  const SupervisorCallbacks& callbacks_;
  std::list<Worker> workers_;
  Clock::time_point last_event_;
  int failed_starts_ = 0;  // workers in a row that died before a test began
};

}  // namespace

bool run_tests(const Implementation& implementation, const std::vector<const Test*>& tests,
               const SupervisorOptions& options, const SupervisorCallbacks& callbacks) {
  return Supervisor(implementation, tests, options, callbacks).run();
}

}  // namespace conformance
