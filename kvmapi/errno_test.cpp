#include "kvmapi/errno.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "kvmapi/result.hpp"
#include "kvmapi/uapi/all.hpp"

namespace kvmapi {
namespace {

TEST(Errno, prints_as_the_manual_spells_it) { EXPECT_EQ(Errno{EINVAL}.name(), "EINVAL"); }

TEST(Errno, is_found_by_its_name) { EXPECT_EQ(Errno::from_name("EFAULT"), Errno{EFAULT}); }

TEST(Result, carries_a_value_or_an_errno) {
  Result<int> good = 3;
  Result<int> bad = err(ENOENT);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 3);
  EXPECT_EQ(bad.error(), Errno{ENOENT});
}

}  // namespace
}  // namespace kvmapi
