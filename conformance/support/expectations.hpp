// Expectations: the known deviations of one implementation, read from conformance/expectations/<name>.txt. A line is a
// test id (or a glob over ids), white space, and the reason; '#' starts a comment line. A listed test that fails is an
// xfail, one that passes an xpass: the line has to go. Behind '~' stand tests that fail at times: races of a real
// kernel. They are xfail or pass; in the mock's files there are none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

class Expectations {
 public:
  struct Line {
    std::string glob;
    std::string reason;
    std::string where;            // "mock.txt:12"
    bool fails_at_times = false;  // '~' before the id
  };

  // Adds the lines of a file's text. Returns what is wrong with it, one message per bad line; good lines are kept.
  std::vector<std::string> add(std::string_view text, const std::string& file_name);
  // Globs that no known test matches. An expectation for a test that does not exist is an error.
  std::vector<std::string> check_against(const std::vector<Test>& tests) const;

  // The line for this test, nullptr if none.
  const Line* find(std::string_view id) const;
  const std::vector<Line>& lines() const { return lines_; }

  TestResult judge(TestEnd end) const;

 private:
  std::vector<Line> lines_;
};

// The text of conformance/expectations/<name>.txt as it was when the program was built.
std::optional<std::string_view> linked_in_expectations(std::string_view name);
std::vector<std::string_view> linked_in_expectation_names();

}  // namespace conformance
