// Exits that need an in-kernel local APIC: KVM_EXIT_TPR_ACCESS (KVM_TPR_ACCESS_REPORTING) and KVM_EXIT_IOAPIC_EOI
// (split irqchip, api.rst 7.5). And an interrupt that such an APIC delivers while the vcpu runs.
#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u32 kVector = 0x51;
constexpr u32 kLevel = 1u << 15, kAssert = 1u << 14;  // of the MSI data, SDM 11.11.2
constexpr u32 kApic = 0xfee00000;

// The handler stub of a vector becomes a jump to a mark of the guest.
void redirect(Machine& m, unsigned vector, const char* mark) {
  const u64 from = guests::handler(vector);
  m.poke<u8>(from, 0xe9);
  m.poke<u32>(from + 1, static_cast<u32>(m.at(mark) - (from + 5)));
}

struct TprCase {
  Guest guest;
  u32 is_write;
};

void expect_tpr_access(Ctx& t, const TprCase& c) {
  t.must(t.vm().create_irqchip());
  Machine m(t, c.guest, Mode::long64);
  kvmapi::kvm_tpr_access_ctl control{.enabled = 1};
  t.must(m.vcpu().tpr_access_reporting(control));
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::TprAccess);
  const auto access = m.page().exit.as<kvmapi::kvm_exit_tpr_access>();
  EXPECT_EQ(access.rip, m.at("the_access"));
  EXPECT_EQ(access.is_write, c.is_write);
  EXPECT_EQ(m.regs().rip, m.at("after"));
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io) << "the guest went on";
}

constexpr Needs kTprNeeds = {.cap = {Cap::Irqchip, Cap::Vapic}};
KVM_TEST("run.tpr_access", "read_of_the_task_priority_exits", "api.rst 5: tpr_access", {.needs = kTprNeeds})(Ctx& t) {
  expect_tpr_access(t, {Guest::read_apic_tpr, 0});
}
KVM_TEST("run.tpr_access", "write_of_the_task_priority_exits", "api.rst 5: tpr_access", {.needs = kTprNeeds})(Ctx& t) {
  expect_tpr_access(t, {Guest::write_apic_tpr, 1});
}
KVM_TEST("run.tpr_access", "not_asked_for_does_not_exit", "api.rst 5: tpr_access", {.needs = kTprNeeds})(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::write_apic_tpr, Mode::long64);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_EQ(m.sregs().cr8, 2u);
}

// A guest whose APIC is on and that counts at DATA, in a VM with 24 reserved routes and one level-triggered MSI route.
struct SplitMachine {
  explicit SplitMachine(Ctx& t) : m(make(t)) {
    redirect(m, kVector, "handler");
    kvmapi::kvm_irq_routing_entry entry{.gsi = 5, .type = kvmapi::kIrqRoutingMsi};
    entry.u.set(kvmapi::kvm_irq_routing_msi{.address_lo = kApic, .data = kVector | kLevel | kAssert});
    t.must(t.vm().set_gsi_routing({entry}), "a level-triggered route");
  }
  static Machine make(Ctx& t) {
    t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24), "a split irqchip");
    return Machine(t, Guest::apic_takes_interrupts, Mode::long64);
  }
  // Sends the MSI once the guest counts; it ends KVM_RUN by an exit.
  kvmapi::Result<int> run_with_msi(u32 data) {
    Meanwhile other([&] { return watch(m, guests::kData) > 100; },
                    [&] { (void)m.vm().signal_msi({.address_lo = kApic, .data = data}); });
    auto result = m.run();
    EXPECT_FALSE(other.is_late());
    return result;
  }
  Machine m;
};
constexpr Needs kSplitNeeds = {.cap = {Cap::SplitIrqchip, Cap::SignalMsi}};

KVM_TEST("run.ioapic_eoi", "of_a_level_triggered_interrupt_exits_with_its_vector", "api.rst 5: KVM_EXIT_IOAPIC_EOI",
         {.needs = kSplitNeeds})
(Ctx& t) {
  SplitMachine s(t);
  ASSERT_THAT(s.run_with_msi(kVector | kLevel | kAssert), Returns(0));
  ASSERT_EQ(s.m.reason(), Exit::IoapicEoi);
  EXPECT_EQ(s.m.page().exit.as<kvmapi::kvm_exit_eoi>().vector, kVector);
  EXPECT_EQ(s.m.regs().rip, s.m.at("after_eoi"));
  ASSERT_THAT(s.m.run(), Returns(0));
  EXPECT_EQ(s.m.reason(), Exit::Io);
}

KVM_TEST("run.ioapic_eoi", "of_a_vector_without_such_a_route_does_not_exit", "api.rst 7.5", {.needs = kSplitNeeds})
(Ctx& t) {
  SplitMachine s(t);
  redirect(s.m, kVector + 1, "handler");
  ASSERT_THAT(s.run_with_msi((kVector + 1) | kLevel | kAssert), Returns(0));
  EXPECT_EQ(s.m.reason(), Exit::Io);
}

KVM_TEST("run.apic", "msi_interrupts_a_running_guest", "api.rst 4.71: KVM_SIGNAL_MSI",
         {.needs = {.cap = {Cap::Irqchip, Cap::SignalMsi}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::apic_takes_interrupts, Mode::long64);
  redirect(m, kVector, "handler");
  Meanwhile other([&] { return watch(m, guests::kData) > 100; },
                  [&] { (void)m.vm().signal_msi({.address_lo = kApic, .data = kVector}); });
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_FALSE(other.is_late());
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_EQ(m.regs().rip, m.at("after_eoi")) << "its handler exits by OUT";
}

}  // namespace
}  // namespace conformance
