// KVM_EXIT_FAIL_ENTRY: state that KVM accepts and the CPU refuses. api.rst section 5.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr const char* kSource = "api.rst 5: KVM_EXIT_FAIL_ENTRY";
constexpr TestOptions kOptions = {.needs = {.vendor = Vendor::amd}, .status = Abi::observed};

// CS.L and CS.D/B both set in long mode: VMRUN refuses it (APM 2, 15.5.1), KVM_SET_SREGS does not look.
void make_cs_impossible(Machine& m) {
  m.change([](kvmapi::kvm_sregs& s) { s.cs.db = 1; });
}

KVM_TEST("run.fail_entry", "follows_a_code_segment_with_l_and_db", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  make_cs_impossible(m);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::FailEntry);
}

KVM_TEST("run.fail_entry", "carries_the_exit_code_of_vmrun", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  make_cs_impossible(m);
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::FailEntry);
  EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_fail_entry>().hardware_entry_failure_reason, ~0ull) << "VMEXIT_INVALID";
}

KVM_TEST("run.fail_entry", "guest_runs_once_the_state_is_good", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  make_cs_impossible(m);
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::FailEntry);
  m.change([](kvmapi::kvm_sregs& s) { s.cs.db = 0; });
  EXPECT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
}

}  // namespace
}  // namespace conformance
