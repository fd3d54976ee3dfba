#include "conformance/support/version.hpp"

#include <gtest/gtest.h>

namespace conformance {
namespace {

TEST(Version, reads_the_numbers_of_a_release) {
  EXPECT_EQ(Version::parse("6.1.0-18-amd64"), (Version{6, 1, 0}));
  EXPECT_EQ(Version::parse("6.12.78"), (Version{6, 12, 78}));
  EXPECT_EQ(Version::parse("7.3"), (Version{7, 3, 0}));
  EXPECT_EQ(Version::parse("5.10+debug"), (Version{5, 10, 0}));
}

TEST(Version, refuses_what_is_no_release) {
  for (const char* text : {"", "x", "6", "6.", "6-1", ".1"}) EXPECT_EQ(Version::parse(text), std::nullopt) << text;
}

TEST(Version, orders_by_number_not_by_text) {
  EXPECT_LT((Version{6, 9, 0}), (Version{6, 12, 0}));
  EXPECT_LT((Version{6, 12, 0}), (Version{6, 12, 78}));
}

TEST(Version, prints_a_patch_level_only_if_there_is_one) {
  EXPECT_EQ((Version{6, 9, 0}).text(), "6.9");
  EXPECT_EQ((Version{6, 12, 78}).text(), "6.12.78");
}

}  // namespace
}  // namespace conformance
