#include "conformance/support/expectations.hpp"

#include <gmock/gmock.h>

namespace conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Test test(const char* id) { return Test{.id = id, .source = "", .needs = {}}; }

TEST(Expectations, a_listed_failure_is_an_xfail_with_its_reason) {
  Expectations expectations;
  EXPECT_THAT(expectations.add("# head\n\nvm.a.b   not modelled \nvm.c.*\tno chip\r\n", "x.txt"), IsEmpty());
  const TestResult result = expectations.judge({.id = "vm.a.b", .ending = Ending::fail, .message = "m", .seconds = 2});
  EXPECT_EQ(result.verdict, Verdict::xfail);
  EXPECT_EQ(result.expectation, "not modelled");
  EXPECT_EQ(result.message, "m");
  EXPECT_EQ(expectations.judge({.id = "vm.c.d", .ending = Ending::fail}).expectation, "no chip");
}

TEST(Expectations, a_listed_pass_is_an_xpass_that_names_the_line) {
  Expectations expectations;
  expectations.add("#\nvm.a.b reason", "x.txt");
  const TestResult result = expectations.judge({.id = "vm.a.b", .ending = Ending::pass});
  EXPECT_EQ(result.verdict, Verdict::xpass);
  EXPECT_THAT(result.message, HasSubstr("x.txt:2"));
}

TEST(Expectations, a_line_behind_a_tilde_lets_a_test_pass_or_fail) {
  Expectations expectations;
  EXPECT_THAT(expectations.add("~vm.a.b a race of that kernel", "lab-6.1.txt"), IsEmpty());
  EXPECT_EQ(expectations.judge({.id = "vm.a.b", .ending = Ending::fail}).verdict, Verdict::xfail);
  EXPECT_EQ(expectations.judge({.id = "vm.a.b", .ending = Ending::fail}).expectation, "a race of that kernel");
  EXPECT_EQ(expectations.judge({.id = "vm.a.b", .ending = Ending::pass}).verdict, Verdict::pass);
}

TEST(Expectations, nothing_of_the_mock_fails_at_times) {
  Expectations expectations;
  EXPECT_THAT(expectations.add("~vm.a.b chance", "mock-6.1.txt"), ElementsAre(HasSubstr("the mock is deterministic")));
  EXPECT_EQ(expectations.find("vm.a.b"), nullptr);
}

TEST(Expectations, others_keep_their_ending) {
  Expectations expectations;
  expectations.add("vm.a.b reason", "x.txt");
  EXPECT_EQ(expectations.judge({.id = "vm.x.y", .ending = Ending::fail}).verdict, Verdict::fail);
  EXPECT_EQ(expectations.judge({.id = "vm.x.y", .ending = Ending::pass}).verdict, Verdict::pass);
  EXPECT_EQ(expectations.judge({.id = "vm.a.b", .ending = Ending::skip}).verdict, Verdict::skip);
  EXPECT_EQ(expectations.judge({.id = "vm.a.b", .ending = Ending::broken}).verdict, Verdict::broken);
}

TEST(Expectations, a_line_without_a_reason_or_listed_twice_is_refused) {
  Expectations expectations;
  EXPECT_THAT(expectations.add("vm.a.b\nvm.c.* r\nvm.c.d r", "x.txt"),
              ElementsAre(HasSubstr("x.txt:1: 'vm.a.b' has no reason"), HasSubstr("already listed at x.txt:2")));
}

TEST(Expectations, an_unknown_id_is_an_error) {
  Expectations expectations;
  expectations.add("vm.a.b r\nvm.z.* r", "x.txt");
  EXPECT_THAT(expectations.check_against({test("vm.a.b")}),
              ElementsAre(HasSubstr("x.txt:2: no test matches 'vm.z.*'")));
}

}  // namespace
}  // namespace conformance
