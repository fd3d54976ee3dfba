// conformance/statements.tsv: every statement of the documentation about descriptors and struct kvm_run names tests
// that exist.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "conformance/selftest/command.hpp"

namespace conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// Columns: source, statement, filters.
std::vector<std::vector<std::string>> statements() {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : split(content_of(STATEMENTS), '\n'))
    if (!line.empty() && line[0] != '#') rows.push_back(split(line, '\t'));
  return rows;
}

bool matches_a_test(const std::string& filter) { return run_command_line({PROGRAM, "list", filter}).status == 0; }

TEST(Statements, name_tests_that_exist) {
  const auto rows = statements();
  ASSERT_THAT(rows, Not(IsEmpty()));
  std::vector<std::string> filters{PROGRAM, "list"};
  for (const auto& row : rows) {
    ASSERT_THAT(row, ElementsAre(Not(IsEmpty()), Not(IsEmpty()), Not(IsEmpty())));
    for (const std::string& filter : split(row[2], ' ')) filters.push_back(filter);
  }
  // `list` refuses a filter that no test matches, and names it.
  const CommandResult all = run_command_line(filters);
  EXPECT_EQ(all.status, 0) << all.err;
  EXPECT_FALSE(matches_a_test("run.immediate_exit.no_such_test")) << "the check above could not fail";
}

TEST(Statements, are_said_once) {
  std::vector<std::string> said;
  for (const auto& row : statements()) said.push_back(row.at(1));
  std::sort(said.begin(), said.end());
  EXPECT_EQ(std::adjacent_find(said.begin(), said.end()), said.end());
}

}  // namespace
}  // namespace conformance
