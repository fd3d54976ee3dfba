#include "conformance/support/deadline.hpp"

#include <errno.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace conformance {
namespace {

TEST(Deadline, ends_a_system_call_that_blocks) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  char byte;
  {
    const Deadline deadline(1);
    EXPECT_EQ(read(ends[0], &byte, 1), -1);
    EXPECT_EQ(errno, EINTR);
    EXPECT_TRUE(deadline.is_over());
  }
  close(ends[0]);
  close(ends[1]);
}

TEST(Deadline, is_not_over_at_once) {
  const Deadline first(20);
  EXPECT_FALSE(first.is_over());
}

}  // namespace
}  // namespace conformance
