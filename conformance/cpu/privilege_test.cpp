// Segment loads, ring 3 and back, and what ring 3 may not do. SDM volume 3 chapters 3, 5 and 6.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u64;

template <unsigned Vector, u64 Error>
constexpr auto fault_at_ring_0 = [](Machine& m) {
  const auto frame = m.frame(Vector);
  EXPECT_EQ(frame.rip, m.at("fault"));
  EXPECT_EQ(frame.cs, guests::kKernelCs);
  EXPECT_EQ(frame.error_code, Error);
};
template <unsigned Vector, u64 Error>
constexpr auto fault_at_ring_3 = [](Machine& m) {
  const auto frame = m.frame(Vector);
  EXPECT_EQ(frame.rip, m.at("fault"));
  EXPECT_EQ(frame.cs, guests::kUserCs);
  EXPECT_EQ(frame.error_code, Error);
};

constexpr GuestCase kSegments[] = {
    {.name = "selector_beyond_the_gdt_is_general_protection",
     .guest = Guest::load_selector_beyond_gdt,
     .exits = {taken(13)},
     .check = fault_at_ring_0<13, 0x1000>},
    {.name = "data_segment_not_present_is_segment_not_present",
     .guest = Guest::load_not_present_segment,
     .exits = {taken(11)},
     .check = fault_at_ring_0<11, guests::kUserDs & ~3>},
    {.name = "null_selector_for_ss_is_general_protection",
     .guest = Guest::load_null_ss,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32},
     .exits = {taken(13)},
     .check = fault_at_ring_0<13, 0>},
    {.name = "null_selector_for_ss_is_allowed_in_64_bit_code",
     .guest = Guest::load_null_ss,
     .modes = Mode::long64,
     .exits = {hlt()}},
    {.name = "code_segment_for_ss_is_general_protection",
     .guest = Guest::load_code_as_ss,
     .exits = {taken(13)},
     .check = fault_at_ring_0<13, guests::kKernelCs>},
    {.name = "load_sets_accessed_in_the_descriptor",
     .guest = Guest::load_user_data,
     .exits = {hlt()},
     .finish = {.rbx = guests::kUserDs, .rcx = 0xf3}},
    {.name = "far_return_to_the_same_ring_goes_to_its_target",
     .guest = Guest::far_return_to_same_ring,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop}},
    {.name = "ltr_marks_the_descriptor_busy",
     .guest = Guest::load_task_register,
     .exits = {hlt()},
     .finish = {.rax = guests::kTssSel, .rbx = 0x8b}},
};
KVM_ROWS("cpu.segment", "SDM 3.4, 5.2", kSegments);

constexpr GuestCase kRings[] = {
    {.name = "int_from_ring_3_switches_to_the_stack_of_ring_0",
     .guest = Guest::user_int_80,
     .exits = {taken(0x80)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(0x80).rip, m.at("after"));
           EXPECT_EQ(m.frame(0x80).cs, guests::kUserCs);
           EXPECT_EQ(m.stack(3), guests::kUserStackTop);
           EXPECT_EQ(m.stack(4), guests::kUserDs);
           EXPECT_EQ(m.regs().rsp, guests::kStackTop - 5 * guests::word_bytes(m.mode));
           EXPECT_EQ(m.sregs().cs.dpl, 0);
         }},
    {.name = "int_through_a_gate_of_ring_0_is_general_protection",
     .guest = Guest::user_int_21,
     .exits = {taken(13)},
     .check = fault_at_ring_3<13, 0x21 * 8 + 2>},
    {.name = "hlt_is_general_protection",
     .guest = Guest::user_hlt,
     .exits = {taken(13)},
     .check = fault_at_ring_3<13, 0>},
    {.name = "cli_without_iopl_is_general_protection",
     .guest = Guest::user_cli,
     .exits = {taken(13)},
     .check = fault_at_ring_3<13, 0>},
    {.name = "out_without_a_bitmap_is_general_protection",
     .guest = Guest::user_out,
     .exits = {taken(13)},
     .check = fault_at_ring_3<13, 0>},
    {.name = "mov_from_cr3_is_general_protection",
     .guest = Guest::user_mov_cr3,
     .exits = {taken(13)},
     .check = fault_at_ring_3<13, 0>},
    {.name = "ud2_is_an_invalid_opcode", .guest = Guest::user_ud2, .exits = {taken(6)}, .check = fault_at_ring_3<6, 0>},
    {.name = "popf_leaves_if_and_iopl_alone", .guest = Guest::user_popf, .exits = {taken(0x80)}, .finish = {.rax = 2}},
};
KVM_ROWS("cpu.ring_3", "SDM 5.9, 6.12.1", kRings);

// STAR: kernel segments from KERNEL_CS, user segments from USER_CS32 on (SYSRET adds 16 for 64-bit code).
constexpr kvmapi::u32 kStar = 0xc0000081, kLstar = 0xc0000082, kFmask = 0xc0000084;
constexpr auto enable_syscall = [](Machine& m) {
  m.change([](kvmapi::kvm_sregs& s) { s.efer |= 1; });
  m.t.must(m.vcpu().set_msr(kStar, u64{guests::kUserCs32} << 48 | u64{guests::kKernelCs} << 32));
  m.t.must(m.vcpu().set_msr(kLstar, m.at("entry")));
  m.t.must(m.vcpu().set_msr(kFmask, 0x200));
};

constexpr GuestCase kSyscall[] = {
    {.name = "enters_ring_0_at_lstar",
     .guest = Guest::syscall_from_ring_3,
     .prepare = enable_syscall,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rflags = 2},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.regs().rcx, m.at("after")) << "the return address";
           EXPECT_EQ(m.regs().r11, 0x202u) << "the flags of ring 3";
           EXPECT_EQ(m.sregs().cs.selector, guests::kKernelCs);
           EXPECT_EQ(m.sregs().ss.selector, guests::kKernelDs);
           EXPECT_EQ(m.regs().rsp, guests::kUserStackTop) << "the stack is not switched";
         }},
    {.name = "sysret_returns_to_ring_3",
     .guest = Guest::syscall_from_ring_3,
     .prepare = enable_syscall,
     .exits = {hlt(), taken(6)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(6).rip, m.at("after"));
           EXPECT_EQ(m.frame(6).cs, guests::kUserCs);
           EXPECT_EQ(m.frame(6).rflags & 0x200, 0x200u);
           EXPECT_EQ(m.stack(4), guests::kUserDs);
         }},
    {.name = "without_sce_is_an_invalid_opcode",
     .guest = Guest::syscall_not_enabled,
     .exits = {taken(6)},
     .check = fault_at_ring_0<6, 0>},
};
KVM_ROWS("cpu.syscall", "APM 3: SYSCALL, SYSRET", kSyscall);

constexpr GuestCase kControl[] = {
    {.name = "wp_can_be_set",
     .guest = Guest::set_cr0_wp,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.regs().rbx & 0x10000, 0x10000u);
           EXPECT_EQ(m.sregs().cr0 & 0x10000, 0x10000u);
         }},
    {.name = "cr0_with_pg_but_without_pe_is_general_protection",
     .guest = Guest::set_bad_cr0,
     .exits = {taken(13)},
     .check = fault_at_ring_0<13, 0>},
    {.name = "cr4_with_a_reserved_bit_is_general_protection",
     .guest = Guest::set_bad_cr4,
     .exits = {taken(13)},
     .check = fault_at_ring_0<13, 0>},
};
KVM_ROWS("cpu.control_register", "SDM 2.5", kControl);

}  // namespace
}  // namespace conformance
