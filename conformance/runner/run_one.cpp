// One test: needs, body, and the collection of its failures. see run_one.hpp.
#include "conformance/runner/run_one.hpp"

#include <fmt/format.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "conformance/support/ctx.hpp"
#include "conformance/support/failures.hpp"

namespace conformance {
namespace {

// Enough to see how a test got where it failed.
constexpr std::size_t kShownCalls = 16;
constexpr std::size_t kLongestCall = 300;

// "set_regs_test.cpp:42" is enough for a message; the full place is in the test's own entry.
std::string place(const ::testing::TestPartResult& part) {
  if (part.file_name() == nullptr) return {};
  return fmt::format("{}:{}: ", std::filesystem::path(part.file_name()).filename().string(), part.line_number());
}

// "../../conformance/run/x.cpp" is how some builds name a file.
void shorten_paths(std::string& text) {
  for (std::size_t at; (at = text.find("../conformance/")) != std::string::npos;) {
    std::size_t begin = at;
    while (begin >= 3 && text.compare(begin - 3, 3, "../") == 0) begin -= 3;
    text.erase(begin, at + 3 - begin);
  }
}

void add_parts(const ::testing::TestPartResultArray& parts, TestEnd& end) {
  for (int i = 0; i < parts.size(); ++i) {
    const ::testing::TestPartResult& part = parts.GetTestPartResult(i);
    if (part.passed()) {
      // SUCCEED() << "what was counted".
      const std::string_view note(part.message());
      if (note.starts_with("Succeeded\n") && note.size() > 10)
        end.message += fmt::format("{}{}", end.message.empty() ? "" : "\n", note.substr(10));
      continue;
    }
    if (part.skipped()) {
      if (end.ending == Ending::pass) end.ending = Ending::skip;
    } else {
      end.ending = Ending::fail;
    }
    std::string text = part.message();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.starts_with("Failed\n")) text.erase(0, 7);  // what ADD_FAILURE() puts first
    shorten_paths(text);
    end.message += fmt::format("{}{}{}", end.message.empty() ? "" : "\n", part.failed() ? place(part) : "", text);
  }
}

// What `body` threw, sorted by what it means.
struct Thrown {
  std::string broken, skipped, other;
};

Thrown run_body(const Test& test, Ctx& ctx) {
  Thrown thrown;
  try {
    test.body(ctx);
  } catch (const SkipTest& reason) {
    thrown.skipped = reason.what();
  } catch (const BrokenSetup& reason) {
    thrown.broken = reason.what();
  } catch (const std::exception& error) {
    thrown.other = fmt::format("exception: {}", error.what());
  }
  return thrown;
}

// Needs are asked with a Ctx of their own, so that the test starts with nothing made.
Thrown check_needs(const Test& test, const Target& target) {
  Thrown thrown;
  try {
    Ctx ctx(target);
    thrown.skipped = unmet(test.needs, ctx).value_or("");
  } catch (const BrokenSetup& reason) {
    thrown.broken = reason.what();
  }
  return thrown;
}

void add_line(std::string& text, const std::string& line) { text += (text.empty() ? "" : "\n") + line; }

TestEnd judge(const Test& test, const Thrown& thrown, const ::testing::TestPartResultArray& parts) {
  TestEnd end{.id = test.id, .ending = Ending::pass};
  if (!thrown.skipped.empty()) {
    end.ending = Ending::skip;
    end.message = thrown.skipped;
  }
  add_parts(parts, end);
  if (!thrown.other.empty()) {
    end.ending = Ending::fail;
    add_line(end.message, thrown.other);
  }
  // A failed assertion tells more than the set-up step that stumbled over the same thing afterwards.
  if (!thrown.broken.empty()) {
    if (end.ending != Ending::fail) end.ending = Ending::broken;
    add_line(end.message, thrown.broken);
  }
  return end;
}

}  // namespace

std::string shown_calls(const kvmapi::TracedBackend& trace, std::size_t count) {
  std::string out;
  const std::string all = trace.last_calls_text(count);
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    const std::string line = all.substr(begin, end - begin);
    // A long argument is cut in the middle: what the call answered stands at the end.
    out += out.empty() ? "" : "\n";
    out += line.size() <= kLongestCall ? line
                                       : line.substr(0, kLongestCall - 80) + " ... " + line.substr(line.size() - 75);
    begin = end + 1;
  }
  return out;
}

namespace {

std::string calls_so_far(const kvmapi::TracedBackend* trace) {
  if (trace == nullptr || trace->calls_made() == 0) return "";
  return "\ncalls, the last one last:\n" + shown_calls(*trace, kShownCalls);
}

}  // namespace

TestEnd run_one(const Test& test, const Target& target, kvmapi::TracedBackend* trace) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  ::testing::TestPartResultArray parts;
  TestEnd end;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &parts);
    if (trace != nullptr) trace->forget_calls();
    Thrown thrown = check_needs(test, target);
    if (thrown.skipped.empty() && thrown.broken.empty()) {
      if (trace != nullptr) trace->forget_calls();
      Ctx ctx(target);
      watch_failures(&parts);
      thrown = run_body(test, ctx);
      watch_failures(nullptr);
      end = judge(test, thrown, parts);
      if (end.ending == Ending::fail || end.ending == Ending::broken) end.message += calls_so_far(trace);
    } else {
      end = judge(test, thrown, parts);
      if (end.ending == Ending::broken) end.message += calls_so_far(trace);
    }
  }
  end.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return end;
}

}  // namespace conformance
