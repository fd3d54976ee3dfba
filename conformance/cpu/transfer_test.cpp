// Far transfers between privilege levels and tasks: call gates, SYSENTER, AMD's SYSCALL outside 64-bit code, hardware
// tasks by JMP, CALL, IRET and task gate. SDM volume 3, 5.8 and 7; APM volume 3.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_sregs;
using kvmapi::u16;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u16 kFree = 0x50;  // the first selector behind the GDT of guests/layout.hpp; two slots
constexpr ModeSet kLegacy = {Mode::prot32, Mode::paged32, Mode::pae32};

void put_descriptor(Machine& m, u64 raw, u64 upper = 0) {
  m.poke<u64>(guests::kGdt + kFree, raw);
  m.poke<u64>(guests::kGdt + kFree + 8, upper);
  m.change([](kvm_sregs& s) { s.gdt.limit = kFree + 15; });
}

// A gate of DPL 3 to `entry` in ring 0, with two parameters outside long mode.
constexpr auto put_call_gate = [](Machine& m) {
  const u64 target = m.at("entry"), count = m.mode == Mode::long64 ? 0 : 2;
  put_descriptor(
      m, (target & 0xffff) | u64{guests::kKernelCs} << 16 | count << 32 | u64{0xec} << 40 | (target >> 16) << 48);
};

constexpr GuestCase kGate[] = {
    {.name = "copies_parameters_to_the_inner_stack",
     .guest = Guest::user_call_gate,
     .modes = kLegacy,
     .prepare = put_call_gate,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop - 24},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.stack(0), m.at("after"));
           EXPECT_EQ(m.stack(1), guests::kUserCs);
           EXPECT_EQ(m.stack(2), 0x2222u);
           EXPECT_EQ(m.stack(3), 0x1111u);
           EXPECT_EQ(m.stack(4), guests::kUserStackTop - 8);
           EXPECT_EQ(m.stack(5), guests::kUserDs);
         }},
    {.name = "of_16_bytes_has_no_parameters",
     .guest = Guest::user_call_gate,
     .modes = Mode::long64,
     .prepare = put_call_gate,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop - 32},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.stack(0), m.at("after"));
           EXPECT_EQ(m.stack(2), guests::kUserStackTop - 16);
           EXPECT_EQ(m.sregs().ss.selector, 0) << "a null selector";
         }},
    {.name = "far_return_drops_the_parameters_from_both_stacks",
     .guest = Guest::user_call_gate,
     .modes = kLegacy,
     .prepare = put_call_gate,
     .exits = {hlt(), taken(0x80)},
     .check = [](Machine& m) { EXPECT_EQ(m.stack(3), guests::kUserStackTop); }},
};
KVM_ROWS("cpu.call_gate", "SDM 3: 5.8.5", kGate);

constexpr auto set_sysenter = [](Machine& m) {
  m.t.must(m.vcpu().set_msr(0x174, guests::kKernelCs));
  m.t.must(m.vcpu().set_msr(0x175, guests::kStackTop - 16));
  m.t.must(m.vcpu().set_msr(0x176, m.at("entry")));
};
constexpr GuestCase kSysenter[] = {
    {.name = "enters_ring_0_with_the_stack_of_its_msr",
     .guest = Guest::user_sysenter,
     .modes = kLegacy,
     .prepare = set_sysenter,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop - 16},
     .check = [](Machine& m) { EXPECT_EQ(m.sregs().cs.selector, guests::kKernelCs); }},
    {.name = "sysexit_returns_to_ring_3",
     .guest = Guest::user_sysenter,
     .modes = kLegacy,
     .prepare = set_sysenter,
     .exits = {hlt(), taken(6)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(6).rip, m.at("returned"));
           EXPECT_EQ(m.frame(6).cs, guests::kUserCs32);
           EXPECT_EQ(m.stack(3), guests::kUserStackTop - 64);
         }},
    {.name = "is_an_invalid_opcode_in_long_mode_of_amd",
     .guest = Guest::user_sysenter,
     .modes = Mode::long64,
     .prepare = set_sysenter,
     .exits = {taken(6)},
     .needs = {.vendor = Vendor::amd},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(6).rip, m.at("fault")); }},
};
KVM_ROWS("cpu.sysenter", "APM 3: SYSENTER, SYSEXIT", kSysenter);

constexpr auto enable_legacy_syscall = [](Machine& m) {
  m.change([](kvm_sregs& s) { s.efer |= 1; });
  m.t.must(m.vcpu().set_msr(0xc0000081, u64{guests::kUserCs32} << 48 | u64{guests::kKernelCs} << 32 | m.at("entry")));
};
constexpr auto enable_compatibility_syscall = [](Machine& m) {
  m.change([](kvm_sregs& s) { s.efer |= 1; });
  m.t.must(m.vcpu().set_msr(0xc0000081, u64{guests::kUserCs32} << 48 | u64{guests::kKernelCs} << 32));
  m.t.must(m.vcpu().set_msr(0xc0000083, m.at("entry")));
  m.t.must(m.vcpu().set_msr(0xc0000084, 0x200));
};
constexpr Needs kAmd = {.vendor = Vendor::amd};
constexpr GuestCase kSyscall[] = {
    {.name = "outside_long_mode_goes_to_the_low_half_of_star",
     .guest = Guest::syscall_legacy,
     .modes = kLegacy,
     .prepare = enable_legacy_syscall,
     .exits = {hlt().at("after_hlt")},
     .needs = kAmd,
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.regs().rcx, m.at("after"));
           EXPECT_EQ(m.regs().rflags & 0x200, 0u);
           EXPECT_EQ(m.sregs().cs.selector, guests::kKernelCs);
         }},
    {.name = "sysret_outside_long_mode_sets_if",
     .guest = Guest::syscall_legacy,
     .modes = kLegacy,
     .prepare = enable_legacy_syscall,
     .exits = {hlt(), taken(6)},
     .needs = kAmd,
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(6).rip, m.at("after"));
           EXPECT_EQ(m.frame(6).cs, guests::kUserCs32);
           EXPECT_EQ(m.frame(6).rflags & 0x200, 0x200u);
         }},
    {.name = "of_compatibility_mode_goes_to_cstar_in_64_bit_code",
     .guest = Guest::syscall_from_compatibility_mode,
     .prepare = enable_compatibility_syscall,
     .exits = {hlt().at("after_hlt")},
     .needs = kAmd,
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.regs().rcx, m.at("after"));
           EXPECT_EQ(m.regs().r11, 0x202u);
           EXPECT_EQ(m.sregs().cs.l, 1);
         }},
    {.name = "sysret_returns_to_compatibility_mode",
     .guest = Guest::syscall_from_compatibility_mode,
     .prepare = enable_compatibility_syscall,
     .exits = {hlt(), taken(6)},
     .needs = kAmd,
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(6).rip, m.at("after"));
           EXPECT_EQ(m.frame(6).cs, guests::kUserCs32);
         }},
};
KVM_ROWS("cpu.syscall", "APM 3: SYSCALL, SYSRET", kSyscall);

// The second task: TSS at SPARE, flat segments of ring 0, its own stack.
constexpr u64 kTask = guests::kSpare, kTaskStack = guests::kSpare + 0x1000;

void put_task32(Machine& m, u32 flags = 2) {
  put_descriptor(m, 0x67 | kTask << 16 | u64{0x89} << 40 | (kTask >> 24) << 56);
  for (const u64 tss : {kTask, u64{guests::kTss}}) m.poke<u32>(tss + 28, static_cast<u32>(m.sregs().cr3));
  m.poke<u32>(kTask + 32, static_cast<u32>(m.at("task")));
  m.poke<u32>(kTask + 36, flags);
  m.poke<u32>(kTask + 40 + 3 * 4, 0xbbbb);  // EBX
  m.poke<u32>(kTask + 40 + 4 * 4, kTaskStack);
  for (const unsigned field : {72, 80, 84, 88, 92}) m.poke<u32>(kTask + field, guests::kKernelDs);
  m.poke<u32>(kTask + 76, guests::kKernelCs);
}
constexpr auto put_task = [](Machine& m) { put_task32(m); };
constexpr auto put_task_behind_gate = [](Machine& m) {
  put_task32(m);
  m.poke<u64>(guests::kIdt + 0x21 * 8, u64{kFree} << 16 | u64{0xe5} << 40);
};
constexpr auto put_task_with_trap = [](Machine& m) {
  put_task32(m);
  m.poke<u16>(kTask + 100, 1);
};
constexpr auto put_task16 = [](Machine& m) {
  put_descriptor(m, 0x2b | kTask << 16 | u64{0x81} << 40);
  m.poke<u16>(kTask + 14, static_cast<u16>(m.at("task")));
  m.poke<u16>(kTask + 16, 2);
  m.poke<u16>(kTask + 18 + 3 * 2, 0xbbbb);
  m.poke<u16>(kTask + 18 + 4 * 2, guests::kStackTop - 0x100);
  m.poke<u16>(kTask + 34, guests::kKernelDs);
  m.poke<u16>(kTask + 36, guests::kKernelCs);
  m.poke<u16>(kTask + 38, guests::kKernelDs);
  m.poke<u16>(kTask + 40, guests::kKernelDs);
};
constexpr u64 kNt = 0x4000;
u8 type_of(Machine& m, u16 selector) { return m.peek<u8>(guests::kGdt + selector + 5) & 0xf; }

constexpr GuestCase kTasks[] = {
    {.name = "jump_saves_the_old_and_loads_the_new_state",
     .guest = Guest::task_jump,
     .modes = kLegacy,
     .prepare = put_task,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rbx = 0xbbbb, .rsp = kTaskStack, .rflags = 2},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<u32>(guests::kTss + 32), m.at("after"));
           EXPECT_EQ(m.peek<u32>(guests::kTss + 40 + 6 * 4), 0x5555u) << "ESI";
           EXPECT_EQ(m.sregs().tr.selector, kFree);
           EXPECT_EQ(m.sregs().tr.base, kTask);
           EXPECT_EQ(m.sregs().cr0 & 8, 8u) << "TS";
           EXPECT_EQ(type_of(m, guests::kTssSel), 9) << "the old task is free";
           EXPECT_EQ(type_of(m, kFree), 11);
         }},
    {.name = "call_nests",
     .guest = Guest::task_call,
     .modes = kLegacy,
     .prepare = put_task,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rflags = 2 | kNt},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<u16>(kTask), guests::kTssSel) << "back link";
           EXPECT_EQ(type_of(m, guests::kTssSel), 11);
         }},
    {.name = "iret_goes_back_to_the_caller",
     .guest = Guest::task_call,
     .modes = kLegacy,
     .prepare = put_task,
     .exits = {hlt(), hlt().at("after_second")},
     .finish = {.rsi = 0x5555, .rsp = guests::kStackTop, .rflags = 2},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.sregs().tr.selector, guests::kTssSel);
           EXPECT_EQ(m.peek<u32>(kTask + 32), m.at("resumed"));
           EXPECT_EQ(m.peek<u32>(kTask + 36) & kNt, 0u);
           EXPECT_EQ(type_of(m, kFree), 9);
         }},
    {.name = "task_gate_takes_an_interrupt_of_ring_3",
     .guest = Guest::task_interrupt,
     .modes = kLegacy,
     .prepare = put_task_behind_gate,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rsp = kTaskStack},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.sregs().cs.dpl, 0);
           EXPECT_EQ(m.peek<u32>(guests::kTss + 32), m.at("after"));
           EXPECT_EQ(m.peek<u32>(guests::kTss + 76), guests::kUserCs);
         }},
    {.name = "iret_from_a_task_gate_returns_to_ring_3",
     .guest = Guest::task_interrupt,
     .modes = kLegacy,
     .prepare = put_task_behind_gate,
     .exits = {hlt(), taken(6)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(6).rip, m.at("after"));
           EXPECT_EQ(m.frame(6).cs, guests::kUserCs);
         }},
    {.name = "tss_of_16_bits_loads_words",
     .guest = Guest::task_jump,
     .modes = kLegacy,
     .prepare = put_task16,
     .exits = {hlt().at("after_hlt")},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.regs().rbx & 0xffff, 0xbbbbu);
           EXPECT_EQ(m.regs().rsp & 0xffff, guests::kStackTop - 0x100);
           EXPECT_EQ(type_of(m, kFree), 3);
         }},
    {.name = "trap_bit_of_the_tss_is_a_debug_exception_of_the_new_task",
     .guest = Guest::task_jump,
     .modes = Mode::prot32,
     .prepare = put_task_with_trap,
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("task"));
           EXPECT_EQ(m.t.must(m.vcpu().get_debugregs()).dr6 & 0x8000, 0x8000u) << "DR6.BT";
         }},
    {.name = "busy_task_is_general_protection",
     .guest = Guest::task_jump,
     .modes = kLegacy,
     .prepare =
         [](Machine& m) {
           put_task32(m);
           m.poke<u8>(guests::kGdt + kFree + 5, 0x8b);
         },
     .exits = {taken(13)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(13).rip, m.at("fault"));
           EXPECT_EQ(m.frame(13).error_code, kFree);
         }},
    {.name = "task_that_is_not_present_is_segment_not_present",
     .guest = Guest::task_jump,
     .modes = kLegacy,
     .prepare =
         [](Machine& m) {
           put_task32(m);
           m.poke<u8>(guests::kGdt + kFree + 5, 0x09);
         },
     .exits = {taken(11)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(11).error_code, kFree); }},
    {.name = "tss_that_is_too_short_is_invalid",
     .guest = Guest::task_jump,
     .modes = kLegacy,
     .prepare =
         [](Machine& m) {
           put_task32(m);
           m.poke<u16>(guests::kGdt + kFree, 0x66);
         },
     .exits = {taken(10)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(10).error_code, kFree); }},
};
KVM_ROWS("cpu.task", "SDM 3: 7.3", kTasks);

}  // namespace
}  // namespace conformance
