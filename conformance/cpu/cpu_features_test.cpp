// Which instructions a guest has: what its CPUID hides and what it cannot hide. kvm_amd intercepts few instructions;
// the others are executed whenever the processor has them. What needs a bit of CR4 or XCR0 goes with that bit, which
// KVM refuses if the guest's CPUID lacks the feature.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u64;

constexpr CpuFeature kPopcnt{"popcnt", 1, 0, CpuidRegister::ecx, 23};
constexpr CpuFeature kRdrand{"rdrand", 1, 0, CpuidRegister::ecx, 30};
constexpr CpuFeature kBmi2{"bmi2", 7, 0, CpuidRegister::ebx, 8};
constexpr CpuFeature kSha{"sha_ni", 7, 0, CpuidRegister::ebx, 29};
constexpr CpuFeature kRdpid{"rdpid", 7, 0, CpuidRegister::ecx, 22};
constexpr CpuFeature kRdtscp{"rdtscp", 0x80000001, 0, CpuidRegister::edx, 27};
constexpr CpuFeature kFsgsbase{"fsgsbase", 7, 0, CpuidRegister::ebx, 0};
constexpr CpuFeature kPku{"pku", 7, 0, CpuidRegister::ecx, 3};
constexpr CpuFeature kXcr0Avx{"xcr0_avx", 0xd, 0, CpuidRegister::eax, 2};
constexpr CpuFeature kXgetbv1{"xgetbv1", 0xd, 1, CpuidRegister::eax, 2};

void hide(Machine& m, const CpuFeature& feature) {
  kvmapi::Cpuid table = m.t.must(m.t.system().get_supported_cpuid());
  for (kvmapi::kvm_cpuid_entry2& entry : table.all()) {
    if (entry.function != feature.leaf || entry.index != feature.index) continue;
    kvmapi::u32* const words[] = {&entry.eax, &entry.ebx, &entry.ecx, &entry.edx};
    *words[static_cast<unsigned>(feature.reg)] &= ~(1u << feature.bit);
  }
  m.t.must(m.vcpu().set_cpuid2(table));
}
template <const CpuFeature& feature>
constexpr auto hiding = [](Machine& m) { hide(m, feature); };

constexpr auto two_at_data = [](Machine& m) { m.poke<float>(guests::kData, 2.0f); };

template <unsigned Vector>
constexpr auto at_the_instruction = [](Machine& m) { EXPECT_EQ(m.frame(Vector).rip, m.at("fault")); };

constexpr GuestCase kHidden[] = {
    {.name = "popcnt_is_executed_although_hidden",
     .guest = Guest::popcnt,
     .prepare = hiding<kPopcnt>,
     .exits = {hlt()},
     .finish = {.rax = 8},
     .needs = {.cpu = kPopcnt}},
    {.name = "bmi2_is_executed_although_hidden",
     .guest = Guest::bmi2,
     .prepare = hiding<kBmi2>,
     .exits = {hlt()},
     .finish = {.rax = 0xf0f0},
     .needs = {.cpu = kBmi2}},
    {.name = "sha_is_executed_although_hidden",
     .guest = Guest::sha,
     .prepare = hiding<kSha>,
     .exits = {hlt()},
     .needs = {.cpu = kSha}},
    {.name = "avx_is_executed_although_hidden_while_xcr0_has_it",
     .guest = Guest::avx,
     .prepare =
         [](Machine& m) {
           hide(m, cpu_feature::kAvx);
           two_at_data(m);
         },
     .exits = {hlt()},
     .finish = {.rax = 0x40800000},
     .needs = {.cpu = cpu_feature::kAvx}},
    {.name = "rdrand_is_executed_although_hidden",
     .guest = Guest::rdrand,
     .prepare = hiding<kRdrand>,
     .exits = {hlt()},
     .finish = {.rbx = 1},
     .needs = {.cpu = kRdrand, .vendor = Vendor::amd}},
    {.name = "rdpid_is_executed_although_hidden",
     .guest = Guest::rdpid,
     .prepare = hiding<kRdpid>,
     .exits = {hlt()},
     .finish = {.rax = 0},
     .needs = {.cpu = kRdpid, .vendor = Vendor::amd}},
    {.name = "cr4_fsgsbase_is_refused_when_hidden",
     .guest = Guest::set_fsgsbase,
     .prepare = hiding<kFsgsbase>,
     .exits = {taken(13)},
     .needs = {.cpu = kFsgsbase},
     .check = at_the_instruction<13>},
    {.name = "cr4_osxsave_is_refused_when_hidden",
     .guest = Guest::set_osxsave,
     .prepare = hiding<cpu_feature::kXsave>,
     .exits = {taken(13)},
     .needs = {.cpu = cpu_feature::kXsave},
     .check = at_the_instruction<13>},
    {.name = "cr4_pke_is_refused_when_hidden",
     .guest = Guest::set_pke,
     .prepare = hiding<kPku>,
     .exits = {taken(13)},
     .needs = {.cpu = kPku},
     .check = at_the_instruction<13>},
    {.name = "xcr0_avx_is_refused_when_hidden",
     .guest = Guest::xsetbv,
     .start = {.rax = 7},
     .prepare = hiding<kXcr0Avx>,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
};
KVM_ROWS("cpu.hidden_feature", "APM 2 15.9; kvm_is_valid_cr4, __kvm_set_xcr", kHidden);

constexpr GuestCase kOffered[] = {
    {.name = "avx_adds_eight_singles",
     .guest = Guest::avx,
     .prepare = two_at_data,
     .exits = {hlt()},
     .finish = {.rax = 0x40800000},
     .needs = {.cpu = cpu_feature::kAvx}},
    {.name = "avx_without_osxsave_is_undefined",
     .guest = Guest::avx_without_osxsave,
     .exits = {taken(6)},
     .needs = {.cpu = cpu_feature::kAvx},
     .check = at_the_instruction<6>},
    {.name = "avx_that_xcr0_lacks_is_undefined",
     .guest = Guest::avx_not_in_xcr0,
     .exits = {taken(6)},
     .needs = {.cpu = cpu_feature::kAvx},
     .check = at_the_instruction<6>},
    {.name = "fs_base_instructions_work_with_their_cr4_bit",
     .guest = Guest::set_fsgsbase,
     .exits = {hlt()},
     .finish = {.rbx = 0x123456789a},
     .needs = {.cpu = kFsgsbase}},
    {.name = "fs_base_instructions_without_their_cr4_bit_are_undefined",
     .guest = Guest::rdfsbase_not_enabled,
     .exits = {taken(6)},
     .needs = {.cpu = kFsgsbase},
     .check = at_the_instruction<6>},
    {.name = "pkru_is_written_and_read_with_cr4_pke",
     .guest = Guest::set_pke,
     .exits = {hlt()},
     .finish = {.rax = 0x55555554, .rdx = 0},
     .needs = {.cpu = kPku}},
    {.name = "pkru_without_cr4_pke_is_undefined",
     .guest = Guest::rdpkru_not_enabled,
     .exits = {taken(6)},
     .needs = {.cpu = kPku},
     .check = at_the_instruction<6>},
    {.name = "cpuid_shows_osxsave_once_cr4_has_it",
     .guest = Guest::set_osxsave,
     .exits = {hlt()},
     .needs = {.cpu = cpu_feature::kXsave},
     .check = [](Machine& m) { EXPECT_EQ(m.regs().rcx >> 27 & 1, 1u); }},
    {.name = "rdtscp_gives_tsc_aux",
     .guest = Guest::rdtscp,
     .prepare = [](Machine& m) { m.t.must(m.vcpu().set_msr(0xc0000103, 0x1234)); },
     .exits = {hlt()},
     .finish = {.rcx = 0x1234},
     .needs = {.cpu = kRdtscp}},
};
KVM_ROWS("cpu.feature", "SDM 1 5, 13; SDM 3 2.5, 2.6", kOffered);

constexpr GuestCase kXcr0[] = {
    {.name = "size_of_the_area_follows_x87",
     .guest = Guest::xsetbv,
     .start = {.rax = 1},
     .exits = {hlt()},
     .finish = {.rbx = 576, .rsi = 1},
     .needs = {.cpu = cpu_feature::kXsave}},
    {.name = "size_of_the_area_follows_avx",
     .guest = Guest::xsetbv,
     .start = {.rax = 7},
     .exits = {hlt()},
     .finish = {.rbx = 832, .rsi = 7},
     .needs = {.cpu = kXcr0Avx}},
    {.name = "without_x87_is_general_protection",
     .guest = Guest::xsetbv,
     .start = {.rax = 2},
     .exits = {taken(13)},
     .needs = {.cpu = cpu_feature::kXsave},
     .check = at_the_instruction<13>},
    {.name = "avx_without_sse_is_general_protection",
     .guest = Guest::xsetbv,
     .start = {.rax = 5},
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "unknown_component_is_general_protection",
     .guest = Guest::xsetbv,
     .start = {.rax = 1u << 30 | 3},
     .exits = {taken(13)},
     .needs = {.cpu = cpu_feature::kXsave},
     .check = at_the_instruction<13>},
    {.name = "xgetbv_without_osxsave_is_undefined",
     .guest = Guest::xgetbv_not_enabled,
     .exits = {taken(6)},
     .check = at_the_instruction<6>},
    {.name = "xgetbv_of_an_unknown_index_is_general_protection",
     .guest = Guest::xgetbv,
     .start = {.rcx = 2},
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "xgetbv_1_is_a_part_of_xcr0",
     .guest = Guest::xgetbv,
     .start = {.rcx = 1},
     .exits = {hlt()},
     .finish = {.rdx = 0},
     .needs = {.cpu = kXgetbv1},
     .check = [](Machine& m) { EXPECT_EQ(m.regs().rax & ~u64{7}, 0u); }},
};
KVM_ROWS("cpu.xcr0", "SDM 1 13.3; SDM 3 2.6; SDM 2 CPUID leaf 0DH", kXcr0);

}  // namespace
}  // namespace conformance
