// The pages shared with KVM_RUN: one object however often it is mapped, and what KVM_RUN takes as argument.
// api.rst 4.5 (KVM_GET_VCPU_MMAP_SIZE), 4.10 (KVM_RUN), section 5.
#include <sys/mman.h>

#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;

KVM_TEST("run.page", "second_mapping_shows_the_same_exit", "api.rst 5: mmap of a vcpu fd")(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::real);
  const std::size_t bytes = static_cast<std::size_t>(t.must(t.system().get_vcpu_mmap_size()));
  void* mapping = t.must(t.backend().mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m.vcpu().fd(), 0));
  auto& second = *static_cast<kvmapi::kvm_run*>(mapping);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(static_cast<Exit>(second.exit_reason), Exit::Io);
  EXPECT_EQ(second.exit.as<kvmapi::kvm_exit_io>().port, 0x10);
  second.immediate_exit = 1;
  EXPECT_EQ(m.page().immediate_exit, 1);
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  t.must(t.backend().munmap(mapping, bytes));
}

KVM_TEST("run.page", "belongs_to_its_vcpu_alone", "api.rst 5: mmap of a vcpu fd")(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  kvmapi::Vcpu other = t.must(t.vm().create_vcpu(1));
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
  EXPECT_EQ(other.page().exit_reason, 0u);
}

KVM_TEST("run.page", "starts_zeroed", "api.rst 5", {.status = Abi::observed})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  EXPECT_EQ(m.page().exit_reason, 0u);
  EXPECT_EQ(m.page().immediate_exit, 0u);
  EXPECT_EQ(m.page().request_interrupt_window, 0u);
  EXPECT_EQ(m.page().kvm_valid_regs, 0u);
}

KVM_TEST("run.page", "flags_are_cleared_by_run", "kvm_arch_vcpu_ioctl_run",
         {.needs = {.kernel = {5, 11}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  m.page().flags = 0xffff;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().flags, 0);
}

KVM_TEST("run.argument", "other_than_0_is_einval", "api.rst 4.10: KVM_RUN has no parameters", {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  EXPECT_THAT(m.vcpu().raw(kvmapi::Ioctl::Run, kvmapi::u64{1}), FailsWith(EINVAL));
  EXPECT_THAT(m.run(), Returns(0));
}

KVM_TEST("run.exit_reason", "tells_what_happened_last", "api.rst 5: exit_reason")(Ctx& t) {
  Machine m(t, Guest::out_hlt_forever, Mode::long64);
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(m.run(), Returns(0));
    EXPECT_EQ(m.reason(), Exit::Io);
    ASSERT_THAT(m.run(), Returns(0));
    EXPECT_EQ(m.reason(), Exit::Hlt);
  }
  EXPECT_EQ(m.regs().rbx, 5u);
}

}  // namespace
}  // namespace conformance
