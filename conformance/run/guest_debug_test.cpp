// KVM_SET_GUEST_DEBUG and KVM_EXIT_DEBUG: single steps, breakpoints of the host in the guest. api.rst 4.87, section 5.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_guest_debug;
using kvmapi::u32;
using kvmapi::u64;

constexpr u32 kEnable = kvmapi::kGuestdbgEnable, kSingleStep = kvmapi::kGuestdbgSinglestep;
constexpr u32 kSwBreakpoint = kvmapi::kGuestdbgUseSwBp, kHwBreakpoint = kvmapi::kGuestdbgUseHwBp;
constexpr u64 kDr6Bs = 0x4000;

template <u32 Control>
constexpr auto debug = [](Machine& m) { m.t.must(m.vcpu().set_guest_debug({.control = Control})); };
constexpr auto stop_debugging = [](Machine& m) { m.t.must(m.vcpu().set_guest_debug({})); };

// The exit says where the next instruction is, and why it stopped.
constexpr auto is_step = [](Machine& m) {
  const auto arch = m.page().exit.as<kvmapi::kvm_exit_debug>().arch;
  EXPECT_EQ(arch.exception, 1u);
  EXPECT_EQ(arch.pc, m.regs().rip);
  EXPECT_EQ(arch.dr6 & kDr6Bs, kDr6Bs);
};
constexpr ExitStep step_to(const char* mark) { return exits_with(Exit::Debug).at(mark).then(is_step); }
constexpr Needs kNeeds = {.cap = Cap::SetGuestDebug};

constexpr GuestCase kStep[] = {
    {.name = "exits_after_each_instruction",
     .guest = Guest::nops_then_hlt,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("second"), step_to("third"), step_to("at_hlt")},
     .needs = kNeeds},
    {.name = "of_a_faulting_instruction_runs_its_handler",
     .guest = Guest::divide_by_zero,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("fault"), taken(0)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.frame(0).rflags & 0x100, 0x100u) << "the frame has TF"; },
     .status = Abi::observed},
    {.name = "of_ud2_pushes_tf_where_it_began",
     .guest = Guest::ud2,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {taken(6)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.frame(6).rflags & 0x100, 0x100u); },
     .status = Abi::observed},
    {.name = "of_ud2_pushes_no_tf_elsewhere",
     .guest = Guest::step_ud2,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("fault"), taken(6)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.frame(6).rflags & 0x100, 0u) << "intercepted, and given back by KVM"; },
     .status = Abi::observed},
    {.name = "over_a_device_read_leaves_dr7_of_the_exit_as_it_was",
     .guest = Guest::mmio_read_byte,
     .prepare =
         [](Machine& m) {
           debug<kEnable | kSingleStep>(m);
           m.page().exit.words[3] = 0x1234;
         },
     .exits = {step_to("the_access").then([](Machine& m) {
                 EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_debug>().arch.dr7, 0x400u);
                 m.page().exit.words[3] = 0x1234;
               }),
               mmio_read(guests::kMmioBase + 0x10, "\x11"), step_to("after")},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_debug>().arch.dr7, 0x1234u); },
     .status = Abi::observed},
    {.name = "over_cpuid_leaves_dr7_of_the_exit_as_it_was",
     .guest = Guest::cpuid,
     .prepare =
         [](Machine& m) {
           debug<kEnable | kSingleStep>(m);
           m.page().exit.words[3] = 0x1234;
         },
     .exits = {exits_with(Exit::Debug).then(is_step)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_debug>().arch.dr7, 0x1234u); },
     .status = Abi::observed},
    {.name = "of_out_ends_with_an_exit",
     .guest = Guest::out_byte,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("the_out"), io_out(0x10, 1, "\x42"), exits_with(Exit::Debug).then(is_step)},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "of_out_ends_with_none_after_the_guest_cleared_tf",
     .guest = Guest::step_popf_out,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("the_popf"), step_to("the_out"), io_out(0x10, 1, "\0"), hlt().at("after")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "over_hlt_exits_as_hlt",
     .guest = Guest::hlt,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {hlt().at("after")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "ends_when_it_is_disabled",
     .guest = Guest::nops_then_hlt,
     .prepare = debug<kEnable | kSingleStep>,
     .exits = {step_to("second").then(stop_debugging), hlt().at("after")},
     .finish = {.rflags = 2},
     .needs = kNeeds},
    {.name = "needs_the_enable_bit",
     .guest = Guest::nops_then_hlt,
     .prepare = debug<kSingleStep>,
     .exits = {hlt().at("after")},
     .needs = kNeeds,
     .status = Abi::observed},
};
KVM_ROWS("run.single_step", "api.rst 4.87: KVM_SET_GUEST_DEBUG", kStep);

// INT3 of the guest: reported to user space, not delivered to the guest.
constexpr GuestCase kSoftware[] = {
    {.name = "reports_int3_instead_of_the_exception",
     .guest = Guest::int3,
     .prepare = debug<kEnable | kSwBreakpoint>,
     .exits = {exits_with(Exit::Debug).at(guests::kLoad).then([](Machine& m) {
       const auto arch = m.page().exit.as<kvmapi::kvm_exit_debug>().arch;
       EXPECT_EQ(arch.exception, 3u);
       EXPECT_EQ(arch.pc, guests::kLoad);
     })},
     .needs = kNeeds},
    {.name = "without_it_int3_is_the_guests_own", .guest = Guest::int3, .exits = {taken(3)}, .needs = kNeeds},
};
KVM_ROWS("run.software_breakpoint", "api.rst 4.87: KVM_SET_GUEST_DEBUG", kSoftware);

constexpr u64 kDr7Enable0 = 2;  // G0, executes, 1 byte
constexpr u64 kDr7WriteDword0 = 2 | 1ull << 16 | 3ull << 18;

constexpr GuestCase kHardware[] = {
    {.name = "on_an_instruction_exits_before_it",
     .guest = Guest::nops_then_hlt,
     .prepare =
         [](Machine& m) {
           kvm_guest_debug debug{.control = kEnable | kHwBreakpoint};
           debug.arch.debugreg[0] = m.at("third");
           debug.arch.debugreg[7] = kDr7Enable0;
           m.t.must(m.vcpu().set_guest_debug(debug));
         },
     .exits = {exits_with(Exit::Debug).at("third").then([](Machine& m) {
       EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_debug>().arch.dr6 & 0xf, 1u);
     })},
     .needs = kNeeds},
    {.name = "on_a_data_write_exits_after_it",
     .guest = Guest::count_then_hlt,
     .prepare =
         [](Machine& m) {
           kvm_guest_debug debug{.control = kEnable | kHwBreakpoint};
           debug.arch.debugreg[0] = guests::kData;
           debug.arch.debugreg[7] = kDr7WriteDword0;
           m.t.must(m.vcpu().set_guest_debug(debug));
         },
     .exits = {exits_with(Exit::Debug).then([](Machine& m) {
                 EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_debug>().arch.dr6 & 0xf, 1u);
                 EXPECT_EQ(m.peek<u32>(guests::kData), 1u);
               }),
               hlt()},
     .needs = kNeeds},
};
KVM_ROWS("run.hardware_breakpoint", "api.rst 4.87: KVM_SET_GUEST_DEBUG", kHardware);

}  // namespace
}  // namespace conformance
