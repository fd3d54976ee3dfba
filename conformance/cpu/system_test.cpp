// System instructions that compute little and check much: which are #UD, which #GP, which do nothing. APM volume 3.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_sregs;
using kvmapi::u64;

constexpr ModeSet kProtected = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64};
constexpr u64 kCr4Tsd = 4, kCr4De = 8, kCr4Pce = 0x100;

template <unsigned Vector>
constexpr auto faults = [](Machine& m) { EXPECT_EQ(m.frame(Vector).rip, m.at("fault")); };
template <u64 On>
constexpr auto set_cr4 = [](Machine& m) { m.change([](kvm_sregs& s) { s.cr4 |= On; }); };

constexpr GuestCase kPlain[] = {
    {.name = "lmsw_sets_and_clts_clears_ts",
     .guest = Guest::machine_status_word,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           const u64 pe = m.mode == Mode::real ? 0 : 1;
           EXPECT_EQ(m.regs().rbx & 0xf, 0xa | pe);
           EXPECT_EQ(m.regs().rcx & 0xf, 2 | pe);
           EXPECT_EQ(m.sregs().cr0 & 0xf, 2 | pe);
         }},
    {.name = "ud0_is_an_invalid_opcode", .guest = Guest::ud0, .exits = {taken(6)}, .check = faults<6>},
    {.name = "ud1_is_an_invalid_opcode", .guest = Guest::ud1, .exits = {taken(6)}, .check = faults<6>},
    {.name = "prefetchw_of_a_register_is_an_invalid_opcode",
     .guest = Guest::prefetchw_of_register,
     .exits = {taken(6)},
     .needs = {.vendor = Vendor::amd},
     .check = faults<6>,
     .source = "APM vol. 3, PREFETCHx; a Zen 3 does, Zydis and the SDM take it for a NOP"},
    {.name = "rdpmc_of_a_counter_that_is_not_there_is_general_protection",
     .guest = Guest::rdpmc,
     .start = {.rcx = 0x3fff},
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "monitor_does_nothing", .guest = Guest::monitor, .exits = {hlt()}, .status = Abi::observed},
    {.name = "mwait_does_not_wait", .guest = Guest::mwait, .exits = {hlt()}, .status = Abi::observed},
    {.name = "monitor_with_an_extension_is_general_protection",
     .guest = Guest::monitor,
     .start = {.rcx = 0x10},
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "dr4_is_dr6_without_de", .guest = Guest::read_dr4, .exits = {hlt()}, .finish = {.rbx = 0xffff0ff0}},
    {.name = "dr4_is_an_invalid_opcode_with_de",
     .guest = Guest::read_dr4,
     .prepare = set_cr4<kCr4De>,
     .exits = {taken(6)},
     .check = faults<6>},
    {.name = "sysenter_without_its_msr_is_general_protection",
     .guest = Guest::sysenter,
     .modes = {Mode::real, Mode::prot32, Mode::paged32, Mode::pae32},
     .exits = {taken(13)},
     .check = faults<13>},
};
KVM_ROWS("cpu.system", "APM 3", kPlain);

// KVM_CAP_DISABLE_QUIRKS2: what KVM does only because guests have come to expect it.
template <u64 Quirk>
constexpr auto without_quirk =
    [](Machine& m) { m.t.must(m.vm().enable_cap(Cap::DisableQuirks2, Quirk), "KVM_CAP_DISABLE_QUIRKS2"); };
constexpr u64 kFixHypercall = 0x20, kMwaitNeverUd = 0x40;
constexpr Needs kQuirks = {.vm_cap = Cap::DisableQuirks2, .kernel = {6, 1, 0}};
constexpr auto hide_monitor = [](Machine& m) {
  without_quirk<kMwaitNeverUd>(m);
  auto cpuid = m.t.must(m.t.system().get_supported_cpuid());
  for (auto& entry : cpuid)
    if (entry.function == 1) entry.ecx &= ~8u;
  m.t.must(m.vcpu().set_cpuid2(cpuid));
};
constexpr GuestCase kWithoutQuirks[] = {
    {.name = "monitor_without_cpuid_is_an_invalid_opcode",
     .guest = Guest::monitor,
     .prepare = hide_monitor,
     .exits = {taken(6)},
     .needs = kQuirks,
     .check = faults<6>},
    {.name = "mwait_without_cpuid_is_an_invalid_opcode",
     .guest = Guest::mwait,
     .prepare = hide_monitor,
     .exits = {taken(6)},
     .needs = kQuirks,
     .check = faults<6>},
    {.name = "hypercall_of_the_other_vendor_is_an_invalid_opcode",
     .guest = Guest::vmcall,
     .modes = kProtected,
     .prepare = without_quirk<kFixHypercall>,
     .exits = {taken(6)},
     .needs = {.vm_cap = Cap::DisableQuirks2, .kernel = {6, 1, 0}, .vendor = Vendor::amd}},
};
KVM_ROWS("cpu.quirk", "api.rst 7.31: KVM_CAP_DISABLE_QUIRKS2", kWithoutQuirks);

constexpr GuestCase kA20[] = {
    {.name = "line_is_never_masked",
     .guest = Guest::read_above_1_mib,
     .exits = {mmio_read(0x100000, "\x5a"), hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.regs().rax & 0xff, 0x5au); },
     .status = Abi::observed},
};
KVM_ROWS("cpu.a20", "SDM 3: 20.1.1", kA20);

// Rights that a control register gives to ring 3 or takes away.
constexpr GuestCase kRing3[] = {
    {.name = "rdtsc_is_allowed", .guest = Guest::user_rdtsc, .exits = {taken(0x80)}},
    {.name = "rdtsc_with_tsd_is_general_protection",
     .guest = Guest::user_rdtsc,
     .prepare = set_cr4<kCr4Tsd>,
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "rdpmc_without_pce_is_general_protection",
     .guest = Guest::user_rdpmc,
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "monitor_is_an_invalid_opcode", .guest = Guest::user_monitor, .exits = {taken(6)}, .check = faults<6>},
    {.name = "clts_is_general_protection", .guest = Guest::user_clts, .exits = {taken(13)}, .check = faults<13>},
    {.name = "lmsw_is_general_protection", .guest = Guest::user_lmsw, .exits = {taken(13)}, .check = faults<13>},
    {.name = "invlpg_is_general_protection", .guest = Guest::user_invlpg, .exits = {taken(13)}, .check = faults<13>},
};
KVM_ROWS("cpu.ring_3", "APM 3", kRing3);

constexpr CpuFeature kUmip{"umip", 7, 0, CpuidRegister::ecx, 2};
constexpr u64 kCr4Umip = 0x800;
template <Guest guest>
constexpr GuestCase umip(RowName name) {
  return {.name = name,
          .guest = guest,
          .prepare = set_cr4<kCr4Umip>,
          .exits = {taken(13)},
          .needs = {.cpu = kUmip, .vendor = Vendor::amd},
          .check = faults<13>};
}
constexpr GuestCase kUmipRows[] = {
    umip<Guest::user_sgdt>("sgdt_of_ring_3_is_general_protection"),
    umip<Guest::user_sidt>("sidt_of_ring_3_is_general_protection"),
    umip<Guest::user_sldt>("sldt_of_ring_3_is_general_protection"),
    umip<Guest::user_str>("str_of_ring_3_is_general_protection"),
    umip<Guest::user_smsw>("smsw_of_ring_3_is_general_protection"),
    {.name = "off_lets_ring_3_read_the_gdtr",
     .guest = Guest::user_sgdt,
     .exits = {taken(0x80)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<kvmapi::u16>(guests::kData), m.sregs().gdt.limit);
           EXPECT_EQ(m.peek<kvmapi::u32>(guests::kData + 2), m.sregs().gdt.base);
         }},
};
KVM_ROWS("cpu.umip", "SDM 3: 2.5 CR4.UMIP", kUmipRows);

// The I/O permission bitmap behind the TSS: a set bit refuses its port.
template <kvmapi::u16 Bits>
constexpr auto bitmap_of_ports_10_to_1f = [](Machine& m) {
  constexpr u64 kBitmap = 0x68, kBytes = 4;
  m.poke<kvmapi::u16>(guests::kGdt + guests::kTssSel, kBitmap + kBytes);  // limit
  m.poke<kvmapi::u16>(guests::kTss + 0x66, kBitmap);
  m.poke<kvmapi::u32>(guests::kTss + kBitmap, static_cast<kvmapi::u32>(Bits) << 16);
  m.poke<kvmapi::u8>(guests::kTss + kBitmap + kBytes, 0xff);
};
constexpr GuestCase kBitmap[] = {
    {.name = "clear_bit_allows_the_port",
     .guest = Guest::user_out,
     .prepare = bitmap_of_ports_10_to_1f<0>,
     .exits = {io_out(0x10, 1, Bytes::of<kvmapi::u8>(guests::kUserDs))}},
    {.name = "set_bit_is_general_protection",
     .guest = Guest::user_out,
     .prepare = bitmap_of_ports_10_to_1f<1>,
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "word_needs_the_bits_of_both_ports",
     .guest = Guest::user_in_word,
     .prepare = bitmap_of_ports_10_to_1f<2>,
     .exits = {taken(13)},
     .check = faults<13>},
    {.name = "bit_of_another_port_does_not_matter",
     .guest = Guest::user_in_word,
     .prepare = bitmap_of_ports_10_to_1f<4>,
     .exits = {io_in(0x10, 2, "\x12\x34"), taken(0x80)}},
};
KVM_ROWS("cpu.io_bitmap", "SDM 1: 18.5.2", kBitmap);

// Machine-check MSRs as the guest may write them.
constexpr auto answers_fault = [](Machine& m) { EXPECT_EQ(m.frame(13).rip, m.at("the_instruction")); };
constexpr GuestCase kMachineCheck[] = {
    {.name = "ctl_of_a_bank_takes_all_ones",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 0xffffffff, .rcx = 0x400, .rdx = 0xffffffff},
     .exits = {hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.t.must(m.vcpu().get_msr(0x400)), ~u64{0}); }},
    {.name = "ctl_of_a_bank_takes_no_other_value",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 2, .rcx = 0x400},
     .exits = {taken(13)},
     .check = answers_fault},
    {.name = "status_of_a_bank_can_be_cleared",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rcx = 0x401},
     .prepare = [](Machine& m) { m.t.must(m.vcpu().set_msr(0x401, 0x1234)); },
     .exits = {hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.t.must(m.vcpu().get_msr(0x401)), 0u); }},
    {.name = "status_of_a_bank_can_not_be_set",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 1, .rcx = 0x401},
     .exits = {taken(13)},
     .check = answers_fault},
    {.name = "status_of_a_bank_can_be_set_with_mc_status_wr_en",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 1, .rcx = 0x401},
     .prepare = [](Machine& m) { m.t.must(m.vcpu().set_msr(0xc0010015, 1u << 18)); },
     .exits = {hlt()},
     .needs = {.vendor = Vendor::amd}},
    {.name = "mcg_cap_can_not_be_written",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 1, .rcx = 0x179},
     .exits = {taken(13)},
     .check = answers_fault},
    {.name = "mcg_ctl_is_absent_unless_mcg_cap_has_it",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rax = 0xffffffff, .rcx = 0x17b, .rdx = 0xffffffff},
     .exits = {taken(13)},
     .check = answers_fault},
    {.name = "bank_beyond_the_last_is_general_protection",
     .guest = Guest::wrmsr_given,
     .modes = Mode::long64,
     .start = {.rcx = 0x400 + 4 * 3},
     .prepare = [](Machine& m) { m.t.must(m.vcpu().x86_setup_mce(3)); },
     .exits = {taken(13)},
     .check = answers_fault},
};
KVM_ROWS("cpu.machine_check", "SDM 3: 16.3", kMachineCheck);

}  // namespace
}  // namespace conformance
