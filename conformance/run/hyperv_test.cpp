// Exits of the Hyper-V emulation: KVM_EXIT_SYSTEM_EVENT (crash and reset MSRs) and KVM_EXIT_HYPERV (SynIC, hypercalls),
// for a guest whose CPUID says Hv#1. api.rst section 5, 6.76, 6.77.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::u64;

constexpr u64 kOsId = 0x40000000, kHypercallPage = 0x40000001, kReset = 0x40000003, kSynicControl = 0x40000080,
              kCrashControl = 0x40000105;
constexpr u64 kPostMessage = 0x5c;

// Adds the leaves that make KVM a Hyper-V for this guest.
constexpr auto be_hyperv = [](Machine& m) {
  kvmapi::Cpuid cpuid;
  for (const auto& entry : m.t.must(m.t.system().get_supported_cpuid())) {
    if ((entry.function & 0xffff0000) != 0x40000000) cpuid.push_back(entry);  // KVM's own leaves lie there
  }
  cpuid.push_back({.function = 0x40000000, .eax = 0x40000005, .ebx = 0x7263694d, .ecx = 0x666f736f, .edx = 0x76482074});
  cpuid.push_back({.function = 0x40000001, .eax = 0x31237648});  // "Hv#1"
  cpuid.push_back({.function = 0x40000003, .eax = 0xffffffff, .ebx = 0xffffffff, .edx = 0xffffffff});
  m.t.must(m.vcpu().set_cpuid2(cpuid), "a CPUID with Hyper-V leaves");
};

template <kvmapi::u32 Type>
constexpr auto is_event = [](Machine& m) { EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_system_event>().type, Type); };

constexpr Needs kNeeds = {.cap = Cap::Hyperv};

constexpr GuestCase kSystemEvent[] = {
    {.name = "crash_of_the_guest_is_reported",
     .guest = Guest::wrmsr_given,
     .start = {.rax = 0, .rcx = kCrashControl, .rdx = 0x80000000},
     .prepare = be_hyperv,
     .exits = {exits_with(Exit::SystemEvent).at("after").then(is_event<kvmapi::kSystemEventCrash>),
               hlt().at("after_hlt")},
     .needs = kNeeds},
    {.name = "reset_by_the_guest_is_reported",
     .guest = Guest::wrmsr_given,
     .start = {.rax = 1, .rcx = kReset},
     .prepare = be_hyperv,
     .exits = {exits_with(Exit::SystemEvent).at("after").then(is_event<kvmapi::kSystemEventReset>),
               hlt().at("after_hlt")},
     .needs = kNeeds},
    {.name = "crash_msr_without_hyperv_raises_general_protection",
     .guest = Guest::wrmsr_given,
     .start = {.rcx = kCrashControl, .rdx = 0x80000000},
     .exits = {taken(13)},
     .needs = {.kernel = {5, 12}},
     .status = Abi::observed},
};
KVM_ROWS("run.system_event", "api.rst 5: KVM_EXIT_SYSTEM_EVENT", kSystemEvent);

constexpr Needs kSynicNeeds = {.cap = {Cap::HypervSynic2, Cap::Irqchip}};

KVM_TEST("run.hyperv", "synic_control_msr_exits", "api.rst 5: KVM_EXIT_HYPERV_SYNIC", {.needs = kSynicNeeds})(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::wrmsr_given, Mode::long64, {.rax = 1, .rcx = kSynicControl});
  be_hyperv(m);
  t.must(m.vcpu().enable_cap(Cap::HypervSynic2));
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::Hyperv);
  const auto exit = m.page().exit.as<kvmapi::kvm_hyperv_exit>();
  ASSERT_EQ(exit.type, kvmapi::kExitHypervSynic);
  const auto synic = exit.u.as<kvmapi::kvm_hyperv_exit_synic>();
  EXPECT_EQ(synic.msr, kSynicControl);
  EXPECT_EQ(synic.control, 1u);
  EXPECT_EQ(m.regs().rip, m.at("after"));
}

KVM_TEST("run.hyperv", "post_message_hypercall_exits_and_returns_its_result", "api.rst 5: KVM_EXIT_HYPERV_HCALL",
         {.needs = {.cap = {Cap::HypervSynic2, Cap::Irqchip}, .vendor = Vendor::amd}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::vmmcall, Mode::long64, {.rcx = kPostMessage, .rdx = guests::kData, .r8 = guests::kData + 0x100});
  be_hyperv(m);
  t.must(m.vcpu().enable_cap(Cap::HypervSynic2));
  t.must(m.vcpu().set_msr(kOsId, 0x1000000000001));
  t.must(m.vcpu().set_msr(kHypercallPage, guests::kSpare | 1));
  ASSERT_THAT(m.run(), Returns(0));
  ASSERT_EQ(m.reason(), Exit::Hyperv);
  auto exit = m.page().exit.as<kvmapi::kvm_hyperv_exit>();
  ASSERT_EQ(exit.type, kvmapi::kExitHypervHcall);
  auto call = exit.u.as<kvmapi::kvm_hyperv_exit_hcall>();
  EXPECT_EQ(call.input, kPostMessage);
  EXPECT_EQ(call.params[0], guests::kData);
  EXPECT_EQ(call.params[1], guests::kData + 0x100);
  call.result = 0x12;
  exit.u.set(call);
  m.page().exit.set(exit);
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.regs().rax, 0x12u);
  EXPECT_EQ(m.regs().rip, m.at("after"));
}

}  // namespace
}  // namespace conformance
