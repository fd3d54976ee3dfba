// One test: needs, body, and the collection of its failures. see run_one.hpp.
#include "conformance/runner/run_one.hpp"

#include <fmt/format.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "conformance/support/ctx.hpp"

namespace conformance {
namespace {

// "set_regs_test.cpp:42" is enough for a message; the full place is in the test's own entry.
std::string place(const ::testing::TestPartResult& part) {
  if (part.file_name() == nullptr) return {};
  return fmt::format("{}:{}: ", std::filesystem::path(part.file_name()).filename().string(), part.line_number());
}

void add_parts(const ::testing::TestPartResultArray& parts, TestEnd& end) {
  for (int i = 0; i < parts.size(); ++i) {
    const ::testing::TestPartResult& part = parts.GetTestPartResult(i);
    if (part.passed()) continue;
    if (part.skipped()) {
      if (end.ending == Ending::pass) end.ending = Ending::skip;
    } else {
      end.ending = Ending::fail;
    }
    std::string text = part.message();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.starts_with("Failed\n")) text.erase(0, 7);  // what ADD_FAILURE() puts first
    end.message += fmt::format("{}{}{}", end.message.empty() ? "" : "\n", part.failed() ? place(part) : "", text);
  }
}

}  // namespace

TestEnd run_one(const Test& test, const Target& target) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  TestEnd end{.id = test.id, .ending = Ending::pass};
  ::testing::TestPartResultArray parts;
  std::string broken, skipped, thrown;
  {
    ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &parts);
    try {
      Ctx probe(target);
      if (auto reason = unmet(test.needs, probe)) throw SkipTest(*reason);
      Ctx ctx(target);
      test.body(ctx);
    } catch (const SkipTest& reason) {
      skipped = reason.what();
      end.ending = Ending::skip;
    } catch (const BrokenSetup& reason) {
      broken = reason.what();
    } catch (const std::exception& error) {
      thrown = fmt::format("exception: {}", error.what());
    }
  }
  end.message = skipped;
  add_parts(parts, end);
  // A failed assertion tells more than the set-up step that stumbled over the same thing afterwards.
  if (!broken.empty() && end.ending != Ending::fail) {
    end.ending = Ending::broken;
    end.message = broken;
  }
  if (!thrown.empty()) {
    end.ending = Ending::fail;
    end.message += (end.message.empty() ? "" : "\n") + thrown;
  }
  end.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return end;
}

}  // namespace conformance
