#include "conformance/support/rows.hpp"

#include <gtest/gtest-spi.h>

#include "conformance/support/fake_backend.hpp"

namespace conformance {
namespace {

using ::testing::HasSubstr;

constexpr int kFirstLine = __LINE__ + 2;
constexpr IoctlCase kRows[] = {
    {.name = "version_is_twelve", .call = [](Ctx& t) { return t.system().get_api_version(); }, .expect = succeeds(12)},
    {.name = "version_is_thirteen",
     .call = [](Ctx& t) { return t.system().get_api_version(); },
     .expect = succeeds(13),
     .status = Abi::sane,
     .source = "nowhere"},
    {.name = "needs_what_is_not_there",
     .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).size(0x1001)); },
     .expect = before(6, 9, succeeds()).then(fails(EINVAL)),
     .needs = {.cap = {Cap::ReadonlyMem, Cap::SyncRegs}, .kernel = {6, 1}}},
};
KVM_ROWS("system.get_api_version", "api.rst 4.1", kRows);

KVM_TEST("system.free_form", "a_body_runs", "here", {.needs = {.kernel = {6, 1}}, .status = Abi::observed})
(Ctx& t) { EXPECT_THAT(t.system().get_api_version(), Returns(12)); }

KVM_TEST("system.free_form", "matchers_know_errors", "here")
(Ctx& t) { EXPECT_THAT(kvmapi::System::open(t.backend(), "/nowhere"), FailsWith(ENOENT)); }

class Rows : public ::testing::Test {
 protected:
  FakeBackend backend;
  Target target{
      .backend = &backend, .name = "fake", .kernel = {6, 12, 0}, .kernel_release = "6.12", .vendor = Vendor::amd};
  Ctx ctx{target};

  static const conformance::Test& find(const char* id) {
    const conformance::Test* test = Registry::global().find(id);
    EXPECT_NE(test, nullptr) << id;
    return *test;
  }
};

TEST_F(Rows, a_row_knows_its_line_source_and_status) {
  const auto& first = find("system.get_api_version.version_is_twelve");
  EXPECT_EQ(first.line, kFirstLine);
  EXPECT_EQ(first.source, "api.rst 4.1");
  EXPECT_EQ(first.status, Abi::promised);
  const auto& second = find("system.get_api_version.version_is_thirteen");
  EXPECT_EQ(second.line, kFirstLine + 1);
  EXPECT_EQ(second.source, "nowhere");
  EXPECT_EQ(second.status, Abi::sane);
  EXPECT_THAT(first.file, HasSubstr("rows_test.cpp"));
}

TEST_F(Rows, a_true_row_passes_and_a_false_one_fails) {
  find("system.get_api_version.version_is_twelve").body(ctx);
  static Ctx* shared;
  shared = &ctx;
  EXPECT_NONFATAL_FAILURE(find("system.get_api_version.version_is_thirteen").body(*shared), "expected: 13");
}

TEST_F(Rows, unmet_needs_are_named) {
  const auto& test = find("system.get_api_version.needs_what_is_not_there");
  EXPECT_EQ(unmet(test.needs, ctx), "KVM_CAP_READONLY_MEM is 0 on /dev/kvm");
  backend.answers[Ioctl::CheckExtension] = [](kvmapi::u64 cap) { return cap == 81 ? 1 : 0; };
  EXPECT_EQ(unmet(test.needs, ctx), "KVM_CAP_SYNC_REGS is 0 on /dev/kvm");
  backend.answers[Ioctl::CheckExtension] = [](kvmapi::u64) { return 1; };
  EXPECT_EQ(unmet(test.needs, ctx), std::nullopt);
  target.kernel = {5, 10, 0};
  EXPECT_EQ(unmet(test.needs, ctx), "kernel 5.10 is older than 6.1");
  EXPECT_THAT(text(test.needs), HasSubstr("KVM_CAP_SYNC_REGS on /dev/kvm\nkernel 6.1 or newer"));
}

TEST_F(Rows, a_failing_set_up_is_broken_not_failed) {
  backend.answers[Ioctl::CreateVm] = [](kvmapi::u64) -> kvmapi::Result<int> { return kvmapi::err(ENOMEM); };
  EXPECT_THROW(find("system.get_api_version.needs_what_is_not_there").body(ctx), BrokenSetup);
  backend.has_device = false;
  Ctx other(target);
  EXPECT_THROW(find("system.get_api_version.version_is_twelve").body(other), BrokenSetup);
}

TEST_F(Rows, a_free_form_test_runs_its_body) {
  const auto& test = find("system.free_form.a_body_runs");
  EXPECT_EQ(test.status, Abi::observed);
  EXPECT_EQ(test.needs.kernel, (Version{6, 1, 0}));
  test.body(ctx);
  find("system.free_form.matchers_know_errors").body(ctx);
}

}  // namespace
}  // namespace conformance
