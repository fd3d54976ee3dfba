// System management mode: KVM_SMI, and kvm_run.flags, whose KVM_RUN_X86_SMM says that the vcpu is in it. api.rst
// section 5, 4.97 (KVM_SMI).
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::u8;

constexpr kvmapi::u64 kSmramBase = 0x30000, kSmramBytes = 0x10000, kHandler = 0x8000;
constexpr Needs kNeeds = {.cap = {Cap::X86Smm, Cap::MultiAddressSpace}};

// The default SMRAM, with a handler that makes one exit and returns. A vcpu in SMM sees the slots of address space 1
// (KVM_CAP_MULTI_ADDRESS_SPACE), so it is there too.
struct Smram {
  explicit Smram(Machine& m) : machine(m), pages(kSmramBytes) {
    const u8 out_al_0x20_then_rsm[] = {0xe6, 0x20, 0x0f, 0xaa};
    std::memcpy(pages.data() + kHandler, out_al_0x20_then_rsm, sizeof out_al_0x20_then_rsm);
    m.t.must(m.vm().set_user_memory_region(slot(1).gpa(kSmramBase).size(kSmramBytes).host(pages.data())), "SMRAM");
    m.t.must(
        m.vm().set_user_memory_region(slot(1).address_space(1).gpa(kSmramBase).size(kSmramBytes).host(pages.data())),
        "SMRAM in address space 1");
  }
  ~Smram() {
    (void)machine.vm().set_user_memory_region(slot(1).address_space(1).size(0));
    (void)machine.vm().set_user_memory_region(slot(1).size(0));
  }
  Machine& machine;
  HostPages pages;
};

void expect_smi_and_back(Ctx& t, Mode mode) {
  Machine m(t, Guest::hlt, mode, {.rbx = 0x1234});
  const Smram smram(m);
  t.must(m.vcpu().smi());
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::Io);
  EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_io>().port, 0x20);
  EXPECT_EQ(m.page().flags & kvmapi::kRunX86Smm, kvmapi::kRunX86Smm);
  EXPECT_EQ(m.sregs().cs.base, kSmramBase);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Hlt);
  EXPECT_EQ(m.page().flags & kvmapi::kRunX86Smm, 0);
  EXPECT_EQ(m.regs().rip, m.at("after"));
  EXPECT_EQ(m.regs().rbx, 0x1234u);
}

KVM_TEST("run.smm", "interrupts_a_real_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::real); }
KVM_TEST("run.smm", "interrupts_a_protected_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::paged32); }
KVM_TEST("run.smm", "interrupts_a_long_mode_guest_and_returns", "api.rst 5: KVM_RUN_X86_SMM", {.needs = kNeeds})
(Ctx& t) { expect_smi_and_back(t, Mode::long64); }

}  // namespace
}  // namespace conformance
