// Progress lines. See progress.hpp.
#include "conformance/runner/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace conformance {
namespace {

using nlohmann::json;

void write_line(int fd, const json& line) {
  if (fd < 0) return;
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

std::size_t terminal_columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

}  // namespace

Progress::Progress(int fd, bool is_quiet) : fd_(fd), is_quiet_(is_quiet), is_terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::begin(const std::string& target, std::size_t planned) {
  target_ = target;
  planned_ = planned;
  done_ = failed_ = 0;
  last_shown_ = std::chrono::steady_clock::now();
  write_line(fd_, {{"event", "target"}, {"target", target_}, {"planned", planned_}});
  if (is_terminal_) show(true);
}

void Progress::start(const std::string& id) {
  current_ = id;
  write_line(fd_, {{"event", "start"}, {"target", target_}, {"id", id}});
  if (is_terminal_) show(false);
}

void Progress::end(const TestResult& result) {
  ++done_;
  if (is_failure(result.verdict) || result.verdict == Verdict::broken) ++failed_;
  json line{{"event", "end"},
            {"target", target_},
            {"id", result.id},
            {"verdict", name(result.verdict)},
            {"seconds", result.seconds}};
  if (!result.message.empty()) line["message"] = result.message;
  if (!result.expectation.empty()) line["expectation"] = result.expectation;
  write_line(fd_, line);
  show(false);
}

void Progress::quiet(const std::string& id, double seconds) {
  if (is_quiet_) return;
  clear();
  fmt::print(stderr, "{}: {} of {} tests; {} has been running for {:.0f} s\n", target_, done_, planned_, id, seconds);
}

void Progress::done(bool is_complete) {
  write_line(fd_, {{"event", "done"}, {"target", target_}, {"complete", is_complete}});
  clear();
}

void Progress::show(bool is_forced) {
  if (is_quiet_) return;
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  if (!is_forced && now - last_shown_ < (is_terminal_ ? 50ms : 10'000ms)) return;
  last_shown_ = now;
  std::string line = fmt::format("{}: {} of {} tests", target_, done_, planned_);
  if (failed_ != 0) line += fmt::format(", {} failed", failed_);
  if (!is_terminal_) {
    fmt::print(stderr, "{}\n", line);
    return;
  }
  line += "  " + current_;
  fmt::print(stderr, "\r\x1b[K{}", line.substr(0, terminal_columns() - 1));
  std::fflush(stderr);
}

void Progress::clear() {
  if (is_terminal_ && !is_quiet_) fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

}  // namespace conformance
