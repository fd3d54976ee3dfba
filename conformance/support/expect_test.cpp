#include "conformance/support/expect.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace conformance {
namespace {

Answer answer(int error, long long value = 0) {
  Answer a;
  a.error = error;
  a.value = value;
  return a;
}
bool accepts(const Expect& expect, const Answer& got, Version kernel = {7, 3, 0}, Vendor vendor = Vendor::amd) {
  return expect.resolve(kernel, vendor).accepts(got);
}

TEST(Expect, any_success_is_any_value_but_no_error) {
  EXPECT_TRUE(accepts(succeeds(), answer(0, 0)));
  EXPECT_TRUE(accepts(succeeds(), answer(0, 17)));
  EXPECT_FALSE(accepts(succeeds(), answer(EINVAL)));
}

TEST(Expect, a_value_is_exact) {
  EXPECT_TRUE(accepts(succeeds(12), answer(0, 12)));
  EXPECT_FALSE(accepts(succeeds(12), answer(0, 11)));
  EXPECT_FALSE(accepts(succeeds(0), answer(EINVAL)));
}

TEST(Expect, an_errno_is_exact) {
  EXPECT_TRUE(accepts(fails(EINVAL), answer(EINVAL)));
  EXPECT_FALSE(accepts(fails(EINVAL), answer(ENOTTY)));
  EXPECT_FALSE(accepts(fails(EINVAL), answer(0)));
  EXPECT_TRUE(accepts(fails_with_one_of(EINVAL, ENOTTY), answer(ENOTTY)));
  EXPECT_FALSE(accepts(fails_with_one_of(EINVAL, ENOTTY), answer(0)));
}

TEST(Expect, nothing_said_accepts_nothing) {
  EXPECT_FALSE(accepts(Expect(), answer(0)));
  EXPECT_FALSE(accepts(Expect(), answer(EINVAL)));
}

TEST(Expect, the_kernel_version_decides_between_clauses) {
  constexpr Expect expect = before(5, 16, succeeds()).then(before(6, 9, fails(EPERM)).then(fails(EINVAL)));
  EXPECT_TRUE(accepts(expect, answer(0), {5, 10, 0}));
  EXPECT_TRUE(accepts(expect, answer(EPERM), {5, 16, 0}));
  EXPECT_TRUE(accepts(expect, answer(EPERM), {6, 8, 99}));
  EXPECT_TRUE(accepts(expect, answer(EINVAL), {6, 9, 0}));
  EXPECT_FALSE(accepts(expect, answer(0), {6, 9, 0}));
}

TEST(Expect, the_vendor_decides_between_clauses) {
  constexpr Expect expect = on(Vendor::amd, before(6, 1, fails(EPERM)).then(fails(EINVAL))).otherwise(succeeds());
  EXPECT_TRUE(accepts(expect, answer(EPERM), {5, 10, 0}, Vendor::amd));
  EXPECT_TRUE(accepts(expect, answer(EINVAL), {6, 1, 0}, Vendor::amd));
  EXPECT_TRUE(accepts(expect, answer(0), {5, 10, 0}, Vendor::intel));
  EXPECT_TRUE(accepts(expect, answer(0), {7, 0, 0}, Vendor::other));
}

TEST(Expect, prints_as_a_row_reads) {
  EXPECT_EQ(before(6, 9, succeeds()).then(fails(EINVAL)).text(), "before 6.9: success; otherwise: -1 EINVAL");
  EXPECT_EQ(fails_with_one_of(EINVAL, ENOTTY).text(), "-1 EINVAL or ENOTTY");
  EXPECT_EQ(answer(EFAULT).text(), "-1 EFAULT");
}

}  // namespace
}  // namespace conformance
