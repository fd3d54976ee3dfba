// KVM_EXIT_SHUTDOWN: a triple fault. What the vcpu looks like afterwards differs by vendor and by where the fault came
// from.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr const char* kSource = "exits.def: KVM_EXIT_SHUTDOWN";

constexpr GuestCase kShutdown[] = {
    {.name = "triple_fault_exits", .guest = Guest::triple_fault, .exits = {shutdown()}},
    {.name = "triple_fault_on_amd_leaves_rip_at_the_reset_vector",
     .guest = Guest::triple_fault,
     .exits = {shutdown().at(0xfff0)},
     .needs = {.vendor = Vendor::amd},
     .check =
         [](Machine& m) {
           const auto sregs = m.sregs();
           EXPECT_EQ(sregs.cs.selector, 0xf000);
           EXPECT_EQ(sregs.cs.base, 0xffff0000u);
           EXPECT_EQ(sregs.cr0 & 1, 0u) << "real mode";
           EXPECT_EQ(m.regs().rflags, 2u);
         },
     .status = Abi::observed,
     .source = "kvm-amd: the vcpu is INITed before the exit, since the VMCB's state is undefined after a shutdown"},
    {.name = "inside_an_nmi_handler_keeps_nmis_blocked_from_6_4",
     .guest = Guest::triple_fault,
     .prepare =
         [](Machine& m) {
           auto events = m.t.must(m.vcpu().get_vcpu_events());
           events.nmi.masked = 1;
           m.t.must(m.vcpu().set_vcpu_events(events));
         },
     .exits = {shutdown()},
     .needs = {.cap = Cap::VcpuEvents, .vendor = Vendor::amd},
     .check =
         [](Machine& m) {
           const bool stays = m.t.kernel() >= Version{6, 4};
           EXPECT_EQ(m.t.must(m.vcpu().get_vcpu_events()).nmi.masked, stays);
         },
     .status = Abi::observed,
     .source = "kvm_amd: svm_vcpu_reset() unblocks NMIs at RESET alone; when the mask was one of the vcpu's hflags, "
               "kvm_vcpu_reset() cleared it at INIT as well"},
};
KVM_ROWS("run.shutdown", kSource, kShutdown);

KVM_TEST("run.shutdown", "pending_triple_fault_in_the_events_exits", "api.rst 4.32: KVM_VCPUEVENT_VALID_TRIPLE_FAULT",
         {.needs = {.vm_cap = Cap::X86TripleFaultEvent}})
(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64);
  t.must(t.vm().enable_cap(Cap::X86TripleFaultEvent, 1));
  auto events = t.must(m.vcpu().get_vcpu_events());
  events.flags |= kvmapi::kVcpueventValidTripleFault;
  events.triple_fault.pending = 1;
  t.must(m.vcpu().set_vcpu_events(events));
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Shutdown);
  EXPECT_EQ(m.regs().rip, guests::kLoad) << "the registers stay";
  EXPECT_EQ(m.peek<kvmapi::u32>(guests::kData), 0u);
}

}  // namespace
}  // namespace conformance
