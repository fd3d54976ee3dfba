// Expectations: reading, checking, judging. See expectations.hpp.
#include "conformance/support/expectations.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conformance {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

std::vector<std::string> Expectations::add(std::string_view text, const std::string& file_name) {
  std::vector<std::string> problems;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string where = fmt::format("{}:{}", file_name, number);
    const auto gap = line.find_first_of(kBlank);
    const bool fails_at_times = line.front() == '~';
    const std::string glob(line.substr(fails_at_times, gap - fails_at_times));
    if (fails_at_times && file_name.starts_with("mock")) {
      problems.push_back(fmt::format("{}: '{}' fails at times: the mock is deterministic", where, glob));
    } else if (gap == std::string_view::npos) {
      problems.push_back(fmt::format("{}: '{}' has no reason", where, glob));
    } else if (const Line* other = find(glob)) {
      problems.push_back(fmt::format("{}: '{}' is already listed at {}", where, glob, other->where));
    } else {
      lines_.push_back({glob, std::string(trim(line.substr(gap))), where, fails_at_times});
    }
  }
  return problems;
}

std::vector<std::string> Expectations::check_against(const std::vector<Test>& tests) const {
  std::vector<std::string> problems;
  for (const Line& line : lines_) {
    const bool is_known =
        std::ranges::any_of(tests, [&](const Test& test) { return matches_glob(line.glob, test.id); });
    if (!is_known) problems.push_back(fmt::format("{}: no test matches '{}'", line.where, line.glob));
  }
  return problems;
}

const Expectations::Line* Expectations::find(std::string_view id) const {
  const auto found = std::ranges::find_if(lines_, [&](const Line& line) { return matches_glob(line.glob, id); });
  return found == lines_.end() ? nullptr : &*found;
}

TestResult Expectations::judge(TestEnd end) const {
  TestResult result{.id = std::move(end.id), .message = std::move(end.message), .seconds = end.seconds};
  const Line* line = find(result.id);
  switch (end.ending) {
    case Ending::pass:
      result.verdict = line != nullptr && !line->fails_at_times ? Verdict::xpass : Verdict::pass;
      break;
    case Ending::fail:
      result.verdict = line != nullptr ? Verdict::xfail : Verdict::fail;
      break;
    case Ending::skip:
      result.verdict = Verdict::skip;
      break;
    case Ending::broken:
      result.verdict = Verdict::broken;
      break;
  }
  if (result.verdict == Verdict::xfail) result.expectation = line->reason;
  if (result.verdict == Verdict::xpass) {
    result.expectation = line->reason;
    result.message = fmt::format("passes, although {} says: {}\nDelete that line.", line->where, line->reason);
  }
  return result;
}

}  // namespace conformance
