// The guest's own debug facilities: breakpoints on code, data and ports, general detect, single steps over each kind of
// event. SDM volume 3, 17.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kTf = 0x100, kRf = 0x10000;
constexpr u64 kBs = 0x4000, kBd = 0x2000;
enum Kind : u64 { kExecute = 0, kWrite = 1, kPort = 2, kAccess = 3 };

u64 dr6(Machine& m) { return m.t.must(m.vcpu().get_debugregs()).dr6; }
void set_dr(Machine& m, u64 address, u64 dr7) {
  auto regs = m.t.must(m.vcpu().get_debugregs());
  regs.db[0] = address;
  regs.dr7 = 0x400 | dr7;
  m.t.must(m.vcpu().set_debugregs(regs));
}
// Breakpoint 0, local, of one byte.
void set_breakpoint(Machine& m, Kind kind, u64 address) { set_dr(m, address, 1 | kind << 16); }

constexpr ExitStep no_breakpoint = io_out(0x21, 1, Bytes::of<u8>(0));

constexpr GuestCase kBreakpoints[] = {
    {.name = "on_code_is_a_fault_before_the_instruction",
     .guest = Guest::touch_data,
     .prepare = [](Machine& m) { set_breakpoint(m, kExecute, m.at("after_read")); },
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("after_read"));
           EXPECT_EQ(dr6(m) & 0xf, 1u);
         }},
    {.name = "on_code_is_passed_once_the_handler_sets_rf",
     .guest = Guest::touch_data,
     .modes = {Mode::prot32, Mode::long64},
     .prepare = [](Machine& m) { set_breakpoint(m, kExecute, m.at("after_read")); },
     .exits = {taken(1).then([](Machine& m) {
                 const u64 flags = m.regs().rsp + 2 * guests::word_bytes(m.mode);
                 m.poke<kvmapi::u32>(flags, m.peek<kvmapi::u32>(flags) | kRf);
               }),
               no_breakpoint}},
    {.name = "on_a_write_is_a_trap_after_it",
     .guest = Guest::touch_data,
     .prepare = [](Machine& m) { set_breakpoint(m, kWrite, guests::kData + 0x20); },
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("after_write"));
           EXPECT_EQ(dr6(m) & 0xf, 1u);
         }},
    {.name = "on_a_write_ignores_reads",
     .guest = Guest::touch_data,
     .prepare = [](Machine& m) { set_breakpoint(m, kWrite, guests::kData + 0x10); },
     .exits = {no_breakpoint}},
    {.name = "on_any_access_is_a_trap_after_a_read",
     .guest = Guest::touch_data,
     .prepare = [](Machine& m) { set_breakpoint(m, kAccess, guests::kData + 0x10); },
     .exits = {taken(1)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(1).rip, m.at("after_read")); }},
    {.name = "that_is_not_enabled_does_nothing",
     .guest = Guest::touch_data,
     .prepare = [](Machine& m) { set_dr(m, guests::kData + 0x20, u64{kWrite} << 16); },
     .exits = {no_breakpoint}},
    {.name = "on_a_port_is_not_seen",
     .guest = Guest::touch_data,
     .prepare =
         [](Machine& m) {
           m.change([](kvmapi::kvm_sregs& s) { s.cr4 |= 8; });
           set_breakpoint(m, kPort, 0x21);
         },
     .exits = {no_breakpoint, hlt().at("after_hlt")},
     .status = Abi::observed,
     .source = "KVM intercepts port accesses and does not look at breakpoints when it carries them out"},
};
KVM_ROWS("cpu.breakpoint", "SDM 3: 17.2", kBreakpoints);

constexpr GuestCase kDetect[] = {
    {.name = "stops_before_a_debug_register_is_read",
     .guest = Guest::read_dr0,
     .prepare = [](Machine& m) { set_dr(m, 0, 0x2000); },
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("fault"));
           EXPECT_EQ(dr6(m) & kBd, kBd);
           EXPECT_EQ(m.t.must(m.vcpu().get_debugregs()).dr7 & 0x2000, 0u) << "the handler may use them";
         }},
};
KVM_ROWS("cpu.general_detect", "SDM 3: 17.2.4", kDetect);

template <unsigned Vector>
constexpr auto frame_keeps_tf = [](Machine& m) {
  EXPECT_EQ(m.frame(Vector).rflags & kTf, kTf);
  EXPECT_EQ(m.regs().rflags & kTf, 0u) << "the handler is not stepped";
};
constexpr Registers kStep = {.rflags = 2 | kTf};

constexpr GuestCase kSteps[] = {
    {.name = "after_a_plain_instruction",
     .guest = Guest::nops_then_hlt,
     .start = kStep,
     .exits = {taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("second"));
           EXPECT_EQ(dr6(m) & kBs, kBs);
           frame_keeps_tf<1>(m);
         }},
    {.name = "of_int_n_comes_after_the_instruction_behind_it",
     .guest = Guest::step_int,
     .start = kStep,
     .exits = {taken(0x80).then(frame_keeps_tf<0x80>), taken(1)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(1).rip, m.at("after_nop")); }},
    {.name = "does_not_come_after_a_fault",
     .guest = Guest::ud2,
     .start = kStep,
     .exits = {taken(6)},
     .check = frame_keeps_tf<6>},
    {.name = "comes_after_each_iteration_of_rep",
     .guest = Guest::step_rep,
     .start = {.rcx = 3, .rdi = guests::kData, .rflags = 2 | kTf},
     .exits = {taken(1).then([](Machine& m) {
                 EXPECT_EQ(m.frame(1).rip, m.at("at_rep"));
                 EXPECT_EQ(m.regs().rcx, 2u);
               }),
               taken(1), taken(1)},
     .finish = {.rcx = 0}},
    {.name = "is_held_off_by_mov_ss",
     .guest = Guest::step_mov_ss,
     .start = kStep,
     .exits = {taken(1), taken(1)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(1).rip, m.at("after_nop")); }},
    {.name = "of_popf_that_clears_tf_still_comes",
     .guest = Guest::step_popf,
     .start = kStep,
     .exits = {taken(1), taken(1)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(1).rip, m.at("after"));
           EXPECT_EQ(m.frame(1).rflags & kTf, 0u);
         }},
};
KVM_ROWS("cpu.single_step", "SDM 3: 17.3.1.4", kSteps);

constexpr kvmapi::u32 kStar = 0xc0000081, kLstar = 0xc0000082, kFmask = 0xc0000084;
template <u64 Fmask>
constexpr auto enable_syscall = [](Machine& m) {
  m.change([](kvmapi::kvm_sregs& s) { s.efer |= 1; });
  m.t.must(m.vcpu().set_msr(kStar, u64{guests::kUserCs32} << 48 | u64{guests::kKernelCs} << 32));
  m.t.must(m.vcpu().set_msr(kLstar, m.at("entry")));
  m.t.must(m.vcpu().set_msr(kFmask, Fmask));
};
constexpr GuestCase kSyscallSteps[] = {
    {.name = "of_syscall_comes_after_sysret_if_fmask_has_tf",
     .guest = Guest::step_syscall,
     .prepare = enable_syscall<kTf>,
     .exits = {hlt().at("after_hlt"), taken(1)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(1).rip, m.at("after")); }},
    {.name = "of_syscall_comes_at_its_entry_if_fmask_lacks_tf",
     .guest = Guest::step_syscall,
     .prepare = enable_syscall<0>,
     .exits = {taken(1)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(1).rip, m.at("entry")); }},
};
KVM_ROWS("cpu.single_step", "APM 3: SYSCALL, SYSRET", kSyscallSteps);

constexpr GuestCase kAlignment[] = {
    {.name = "is_off_without_am", .guest = Guest::user_unaligned, .exits = {taken(0x80)}},
    {.name = "check_faults_in_ring_3",
     .guest = Guest::user_unaligned,
     .prepare = [](Machine& m) { m.change([](kvmapi::kvm_sregs& s) { s.cr0 |= 0x40000; }); },
     .exits = {taken(17)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(17).rip, m.at("fault"));
           EXPECT_EQ(m.frame(17).error_code, 0u);
         }},
};
KVM_ROWS("cpu.alignment", "SDM 3: 6.15 #AC", kAlignment);

}  // namespace
}  // namespace conformance
