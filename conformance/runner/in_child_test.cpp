#include "conformance/runner/in_child.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace conformance {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(InChild, hands_back_what_the_question_returned) {
  const std::string large(1'000'000, 'x');
  const ChildAnswer answer = ask_in_child([&] { return large; }, 10s);
  EXPECT_TRUE(answer.is_ok);
  EXPECT_EQ(answer.text, large);
}

TEST(InChild, survives_a_crash_an_exception_an_exit_and_a_hang) {
  const ChildAnswer crash = ask_in_child(
      []() -> std::string {
        std::raise(SIGKILL);
        return "";
      },
      10s);
  EXPECT_FALSE(crash.is_ok);
  EXPECT_THAT(crash.text, HasSubstr("SIGKILL"));
  const ChildAnswer thrown = ask_in_child([]() -> std::string { throw std::runtime_error("why"); }, 10s);
  EXPECT_FALSE(thrown.is_ok);
  EXPECT_EQ(thrown.text, "why");
  const ChildAnswer exited = ask_in_child([]() -> std::string { ::_exit(7); }, 10s);
  EXPECT_FALSE(exited.is_ok);
  EXPECT_THAT(exited.text, HasSubstr("ended with status 7"));
  const ChildAnswer hang = ask_in_child(
      []() -> std::string {
        for (;;) ::pause();
      },
      200ms);
  EXPECT_FALSE(hang.is_ok);
  EXPECT_THAT(hang.text, HasSubstr("no answer within 0.2 s"));
}

}  // namespace
}  // namespace conformance
