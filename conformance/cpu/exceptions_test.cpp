// Exceptions through the vectors of each mode: which vector, what the frame says, which error code. SDM volume 3
// chapter 6, APM volume 2 chapter 8. Page faults: page_fault_test.cpp. Segments and rings: privilege_test.cpp.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u64;

// The frame of a fault: back to the instruction.
template <unsigned Vector, u64 Error = 0>
constexpr auto returns_to_fault = [](Machine& m) {
  const auto frame = m.frame(Vector);
  EXPECT_EQ(frame.rip, m.at("fault"));
  EXPECT_EQ(frame.cs, m.mode == Mode::real ? 0u : guests::kKernelCs);
  EXPECT_EQ(frame.error_code, Error);
};
// The frame of a trap: behind the instruction.
template <unsigned Vector>
constexpr auto returns_after = [](Machine& m) { EXPECT_EQ(m.frame(Vector).rip, m.at("after")); };

constexpr GuestCase kFaults[] = {
    {.name = "ud2_is_an_invalid_opcode", .guest = Guest::ud2, .exits = {taken(6)}, .check = returns_to_fault<6>},
    {.name = "lock_on_nop_is_an_invalid_opcode",
     .guest = Guest::lock_nop,
     .exits = {taken(6)},
     .check = returns_to_fault<6>},
    {.name = "division_by_zero_is_a_divide_error",
     .guest = Guest::divide_by_zero,
     .exits = {taken(0)},
     .check = returns_to_fault<0>},
    {.name = "quotient_too_big_is_a_divide_error",
     .guest = Guest::divide_overflow,
     .exits = {taken(0)},
     .finish = {.rcx = 1, .rdx = 1},
     .check = returns_to_fault<0>},
    {.name = "fpu_instruction_with_ts_set_is_device_not_available",
     .guest = Guest::fpu_not_available,
     .prepare = [](Machine& m) { m.change([](kvmapi::kvm_sregs& s) { s.cr0 |= 8; }); },
     .exits = {taken(7)},
     .check = returns_to_fault<7>},
    {.name = "fpu_instruction_with_em_set_is_device_not_available",
     .guest = Guest::fpu_not_available,
     .prepare = [](Machine& m) { m.change([](kvmapi::kvm_sregs& s) { s.cr0 |= 4; }); },
     .exits = {taken(7)},
     .check = returns_to_fault<7>},
    {.name = "sse_without_osfxsr_is_an_invalid_opcode",
     .guest = Guest::sse_not_enabled,
     .prepare = [](Machine& m) { m.change([](kvmapi::kvm_sregs& s) { s.cr4 &= ~0x200ull; }); },
     .exits = {taken(6)},
     .check = returns_to_fault<6>},
    {.name = "bound_outside_its_range_is_range_exceeded",
     .guest = Guest::bound,
     .exits = {taken(5)},
     .check = returns_to_fault<5>},
    {.name = "read_beyond_the_limit_of_ds_is_general_protection",
     .guest = Guest::read_beyond_limit,
     .prepare =
         [](Machine& m) {
           m.change([](kvmapi::kvm_sregs& s) {
             s.ds.limit = 0xfff;
             s.ds.g = 0;
           });
         },
     .exits = {taken(13)},
     .check = returns_to_fault<13>},
    {.name = "push_beyond_the_limit_of_ss_is_a_stack_fault",
     .guest = Guest::push_beyond_limit,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32},
     .prepare =
         [](Machine& m) {
           // The stack lies below the limit only once it is at the handler: the faulting push is above.
           m.change([](kvmapi::kvm_sregs& s) {
             s.ss.limit = 0x7fff;
             s.ss.g = 0;
           });
           m.change([](kvmapi::kvm_regs& r) { r.rsp = 0x9004; });
         },
     .exits = {exits_with(kvmapi::Exit::Shutdown)},
     .source = "SDM 6.15: a fault while delivering #SS is a double fault, then a triple fault"},
};
KVM_ROWS("cpu.fault", "SDM 6.15", kFaults);

constexpr GuestCase kTraps[] = {
    {.name = "int3_pushes_the_next_instruction", .guest = Guest::int3, .exits = {taken(3)}, .check = returns_after<3>},
    {.name = "int_n_pushes_the_next_instruction",
     .guest = Guest::int_80,
     .exits = {taken(0x80), hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop}},
    {.name = "int_n_ignores_a_clear_if",
     .guest = Guest::int_80,
     .start = {.rflags = 2},
     .exits = {taken(0x80)},
     .check = returns_after<0x80>},
    {.name = "into_with_overflow_is_taken", .guest = Guest::into, .exits = {taken(4)}, .check = returns_after<4>},
    {.name = "icebp_is_a_debug_exception",
     .guest = Guest::icebp,
     .exits = {taken(1)},
     .check = returns_after<1>,
     .status = Abi::observed},
    {.name = "trap_flag_steps_one_instruction",
     .guest = Guest::trap_flag,
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("after"));
           EXPECT_EQ(m.frame(1).rflags & 0x100, 0x100u);
           EXPECT_EQ(m.regs().rflags & 0x100, 0u) << "the handler is not stepped";
           EXPECT_EQ(m.t.must(m.vcpu().get_debugregs()).dr6 & 0x4000, 0x4000u) << "DR6.BS";
         }},
};
KVM_ROWS("cpu.trap", "SDM 6.15", kTraps);

constexpr GuestCase kDelivery[] = {
    {.name = "real_mode_pushes_flags_cs_ip",
     .guest = Guest::ud2,
     .modes = Mode::real,
     .exits = {taken(6)},
     .finish = {.rsp = guests::kStackTop - 6, .rflags = 2}},
    {.name = "protected_mode_pushes_three_dwords",
     .guest = Guest::ud2,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32},
     .exits = {taken(6)},
     .finish = {.rsp = guests::kStackTop - 12}},
    {.name = "long_mode_pushes_ss_and_rsp_always",
     .guest = Guest::ud2,
     .modes = Mode::long64,
     .exits = {taken(6)},
     .finish = {.rsp = guests::kStackTop - 40},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.stack(3), guests::kStackTop);
           EXPECT_EQ(m.stack(4), guests::kKernelDs);
         }},
    {.name = "iret_returns_to_where_the_frame_says",
     .guest = Guest::ud2,
     .exits = {taken(6).then([](Machine& m) {
                 const u64 after = m.at("after");
                 std::memcpy(m.host(m.regs().rsp), &after, guests::word_bytes(m.mode));
               }),
               hlt()},
     .finish = {.rsp = guests::kStackTop}},
    {.name = "missing_gate_is_general_protection_with_its_index",
     .guest = Guest::int_21,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64},
     .prepare =
         [](Machine& m) {
           const u64 bytes = m.mode == Mode::long64 ? 16 : 8;
           m.poke<u64>(guests::kIdt + 0x21 * bytes, 0);
         },
     .exits = {taken(13)},
     .check = returns_to_fault<13, 0x21 * 8 + 2>},
    {.name = "gate_that_is_not_present_is_segment_not_present_with_its_index",
     .guest = Guest::int_21,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64},
     .prepare =
         [](Machine& m) {
           const u64 bytes = m.mode == Mode::long64 ? 16 : 8;
           m.poke<kvmapi::u8>(guests::kIdt + 0x21 * bytes + 5, 0x0e);
         },
     .exits = {taken(11)},
     .check = returns_to_fault<11, 0x21 * 8 + 2>},
    {.name = "vector_beyond_the_idt_is_general_protection",
     .guest = Guest::int_21,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64},
     .prepare =
         [](Machine& m) {
           m.change([&](kvmapi::kvm_sregs& s) { s.idt.limit = 0x20 * (m.mode == Mode::long64 ? 16 : 8) - 1; });
         },
     .exits = {taken(13)},
     .check = returns_to_fault<13, 0x21 * 8 + 2>},
    {.name = "exception_whose_gate_is_missing_becomes_a_double_fault",
     .guest = Guest::read_page,
     .modes = {Mode::paged32, Mode::pae32, Mode::long64},
     .prepare =
         [](Machine& m) {
           m.change_pte(guests::kData + 0x1000, 0, 1);
           m.poke<u64>(guests::kIdt + 14 * (m.mode == Mode::long64 ? 16 : 8), 0);
         },
     .exits = {taken(8)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(8).error_code, 0u); }},
    {.name = "trap_gate_leaves_if_set",
     .guest = Guest::int_80,
     .modes = {Mode::prot32, Mode::long64},
     .start = {.rflags = 0x202},
     .prepare =
         [](Machine& m) {
           const u64 bytes = m.mode == Mode::long64 ? 16 : 8;
           m.poke<kvmapi::u8>(guests::kIdt + 0x80 * bytes + 5, 0xef);
         },
     .exits = {taken(0x80)},
     .finish = {.rflags = 0x202}},
    {.name = "interrupt_stack_table_switches_the_stack",
     .guest = Guest::ud2,
     .modes = Mode::long64,
     .prepare = [](Machine& m) { m.poke<kvmapi::u8>(guests::kIdt + 6 * 16 + 4, 1); },
     .exits = {taken(6)},
     .finish = {.rsp = guests::kRamBytes - 40},
     .check = [](Machine& m) { EXPECT_EQ(m.stack(3), guests::kStackTop); }},
};
KVM_ROWS("cpu.delivery", "SDM 6.12, 6.14", kDelivery);

}  // namespace
}  // namespace conformance
