// Tests whose endings are known: good ones, wrong ones, and ones that misbehave in every way the runner has to survive.
#include "conformance/support/rows.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace conformance {
namespace {

constexpr IoctlCase kRows[] = {
    {.name = "right_value_passes", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(12)},
    {.name = "wrong_value_fails", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(13)},
    {.name = "wrong_errno_fails",
     .call = [](Ctx& t) { return kvmapi::System::open(t.backend(), "/nowhere"); },
     .expect = fails(EINVAL)},
    {.name = "error_instead_of_success_fails",
     .call = [](Ctx& t) { return kvmapi::System::open(t.backend(), "/nowhere"); },
     .expect = succeeds()},
    {.name = "success_instead_of_error_fails",
     .call = [](Ctx& t) { return t.system().get_api_version(); },
     .expect = fails(EINVAL)},
    {.name = "row_of_another_kernel_fails",
     .call = [](Ctx& t) { return t.system().get_api_version(); },
     .expect = before(6, 0, succeeds(12)).then(succeeds(13))},
    {.name = "failing_check_fails",
     .call = [](Ctx& t) { return t.system().get_api_version(); },
     .expect = succeeds(12),
     .check = [](Ctx&) { EXPECT_EQ(1, 2); }},
    {.name = "check_is_not_run_after_a_wrong_answer",
     .call = [](Ctx& t) { return t.system().get_api_version(); },
     .expect = succeeds(13),
     .check = [](Ctx&) { std::abort(); }},
    {.name = "unmet_capability_skips",
     .call = [](Ctx&) -> kvmapi::Result<int> { std::abort(); },
     .expect = succeeds(),
     .needs = {.cap = Cap::ReadonlyMem}},
    {.name = "newer_kernel_skips",
     .call = [](Ctx&) -> kvmapi::Result<int> { std::abort(); },
     .expect = succeeds(),
     .needs = {.kernel = {99, 0}}},
    {.name = "failing_set_up_is_broken",
     .call =
         [](Ctx& t) {
           return t.must(kvmapi::System::open(t.backend(), "/nowhere"), "opening /nowhere").get_api_version();
         },
     .expect = succeeds()},
    {.name = "row_without_expectation_fails", .call = [](Ctx& t) { return t.system().get_api_version(); }},
    {.name = "row_without_call_fails", .expect = succeeds()},
    {.name = "xfail_when_listed", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(13)},
    {.name = "xpass_when_listed", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(12)},
};
KVM_ROWS("selftest.row", "here", kRows);

KVM_TEST("selftest.free", "passes", "here")(Ctx& t) { EXPECT_THAT(t.system().get_api_version(), Returns(12)); }
KVM_TEST("selftest.free", "fails", "here")(Ctx& t) { EXPECT_THAT(t.system().get_api_version(), FailsWith(EINVAL)); }
KVM_TEST("selftest.free", "assertion_in_another_thread_fails", "here")
(Ctx&) {
  std::thread([] { EXPECT_TRUE(false) << "in the thread"; }).join();
}
KVM_TEST("selftest.free", "exception_fails", "here")(Ctx&) { throw std::runtime_error("thrown"); }
KVM_TEST("selftest.free", "gtest_skip_skips", "here")(Ctx&) { GTEST_SKIP() << "for this reason"; }
KVM_TEST("selftest.free", "failure_before_broken_set_up_fails", "here")
(Ctx& t) {
  EXPECT_EQ(1, 2);
  t.broken("later");
}
KVM_TEST("selftest.free", "control_characters_fail", "here")
(Ctx&) { ADD_FAILURE() << "bell \a, nul-free \x01 <tag> & \"quote\" ]]> \xff\xfe # hash\nsecond line"; }

KVM_TEST("selftest.bad", "segfault_fails", "here")
(Ctx&) { *static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) = 1; }
KVM_TEST("selftest.bad", "abort_fails", "here")
(Ctx&) {
  std::fputs("last words\n", stderr);
  std::abort();
}
KVM_TEST("selftest.bad", "exit_fails", "here")(Ctx&) { ::_exit(0); }
KVM_TEST("selftest.bad", "exit_with_status_fails", "here")(Ctx&) { ::_exit(7); }
KVM_TEST("selftest.bad", "kill_fails", "here")(Ctx&) { ::raise(SIGKILL); }
KVM_TEST("selftest.bad", "closed_descriptors_fail", "here")
(Ctx&) {
  for (int fd = 0; fd < 100; ++fd) ::close(fd);
}

KVM_TEST("selftest.slow", "hang_fails", "here")
(Ctx&) {
  for (;;) ::pause();
}
KVM_TEST("selftest.slow", "busy_loop_fails", "here")
(Ctx&) {
  for (;;) asm volatile("pause");
}
KVM_TEST("selftest.slow", "hang_with_signals_blocked_fails", "here")
(Ctx&) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  for (;;) ::pause();
}
KVM_TEST("selftest.slow", "stray_child_does_not_hold_up_the_run", "here")
(Ctx&) {
  if (::fork() == 0) {
    for (;;) ::pause();
  }
}

}  // namespace
}  // namespace conformance
