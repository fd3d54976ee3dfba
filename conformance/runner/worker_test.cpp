#include "conformance/runner/worker.hpp"

#include <gtest/gtest.h>

namespace conformance {
namespace {

TEST(WorkerEvents, survive_the_pipe) {
  const WorkerEvent start{.is_start = true, .end = {.id = "vm.a.b"}};
  ASSERT_TRUE(parse_event(to_line(start)));
  EXPECT_TRUE(parse_event(to_line(start))->is_start);
  const WorkerEvent end{
      .is_start = false,
      .end = {.id = "vm.a.b", .ending = Ending::skip, .message = "line\nbreak \x01 \xff", .seconds = 0.5}};
  const auto read = parse_event(to_line(end));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_line(end).find('\n'), to_line(end).size() - 1);
  EXPECT_FALSE(read->is_start);
  EXPECT_EQ(read->end.ending, Ending::skip);
  EXPECT_EQ(read->end.message, "line\nbreak \x01 \xef\xbf\xbd");
  EXPECT_EQ(read->end.seconds, 0.5);
}

TEST(WorkerEvents, noise_is_no_event) {
  for (const char* line : {"", "x", "[]", "{}", "{\"id\":1}", "{\"id\":\"a\",\"ending\":\"great\"}"}) {
    EXPECT_FALSE(parse_event(line)) << line;
  }
}

}  // namespace
}  // namespace conformance
