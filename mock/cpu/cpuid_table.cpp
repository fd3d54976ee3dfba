// See cpuid_table.hpp.
#include "mock/cpu/cpuid_table.hpp"

#include "mock/cpu/state.hpp"

namespace mock::cpu {
namespace {

using enum CpuidRegister;
using enum Gate;

#define SET(name) ZYDIS_ISA_SET_##name

constexpr CpuidBit kBits[] = {
    {1, 0, edx, 0, "fpu", baseline, {SET(X87)}},
    {1, 0, edx, 1, "vme", fact, {}, 0, nullptr, "CR4.VME and CR4.PVI may be set whatever CPUID says"},
    {1, 0, edx, 2, "de", fact, {}, 0, nullptr, "CR4.DE may be set whatever CPUID says"},
    {1, 0, edx, 3, "pse", fact, {}, 0, nullptr, "CR4.PSE may be set whatever CPUID says"},
    {1, 0, edx, 4, "tsc", baseline, {SET(PENTIUMREAL)}},
    {1, 0, edx, 5, "msr", baseline, {SET(PENTIUMREAL)}},
    {1, 0, edx, 6, "pae", fact, {}, 0, nullptr, "CR4.PAE may be set whatever CPUID says"},
    {1, 0, edx, 7, "mce", fact, {}, 0, nullptr, "CR4.MCE may be set whatever CPUID says"},
    {1, 0, edx, 8, "cx8", baseline, {SET(PENTIUMREAL)}},
    {1, 0, edx, 9, "apic", fact, {}, 0, nullptr, "follows IA32_APIC_BASE"},
    {1, 0, edx, 11, "sep", baseline, {SET(PPRO)}},
    {1, 0, edx, 12, "mtrr", fact, {}, 0, nullptr, "the MTRRs are MSRs of the VM"},
    {1, 0, edx, 13, "pge", fact, {}, 0, nullptr, "CR4.PGE may be set whatever CPUID says"},
    {1, 0, edx, 14, "mca", fact, {}, 0, nullptr, "the banks are MSRs of the VM"},
    {1, 0, edx, 15, "cmov", baseline, {SET(CMOV), SET(FCMOV)}},
    {1, 0, edx, 16, "pat", fact, {}, 0, nullptr, "IA32_PAT is kept; memory types have no effect"},
    {1, 0, edx, 17, "pse36", fact, {}, 0, nullptr, "4-MiB pages reach 40 bits"},
    {1, 0, edx, 19, "clflush", baseline, {SET(CLFSH)}},
    {1, 0, edx, 23, "mmx", baseline, {SET(PENTIUMMMX)}},
    {1, 0, edx, 24, "fxsr", baseline, {SET(FXSAVE), SET(FXSAVE64)}},
    {1, 0, edx, 25, "sse", baseline, {SET(SSE), SET(SSEMXCSR), SET(SSE_PREFETCH)}},
    {1, 0, edx, 26, "sse2", baseline, {SET(SSE2), SET(SSE2MMX), SET(PAUSE)}},
    {1, 0, edx, 27, "ss", fact, {}, 0, nullptr, "self-snoop: memory types have no effect"},

    {1, 0, ecx, 0, "pni", processor, {SET(SSE3), SET(SSE3X87)}, 0, &Host::sse42},
    {1, 0, ecx, 1, "pclmulqdq", processor, {SET(PCLMULQDQ)}, 0, &Host::aes},
    {1, 0, ecx, 9, "ssse3", processor, {SET(SSSE3), SET(SSSE3MMX)}, 0, &Host::sse42},
    {1, 0, ecx, 12, "fma", processor, {SET(FMA)}, 0, &Host::avx},
    {1, 0, ecx, 13, "cx16", processor, {SET(CMPXCHG16B)}, 0, &Host::cx16},
    {1, 0, ecx, 17, "pcid", cr4, {}, CR4_PCIDE},
    {1, 0, ecx, 19, "sse4_1", processor, {SET(SSE4)}, 0, &Host::sse42},
    {1, 0, ecx, 20, "sse4_2", processor, {SET(SSE42)}, 0, &Host::sse42},
    {1, 0, ecx, 21, "x2apic", fact, {}, 0, nullptr, "the local APIC has the mode"},
    {1, 0, ecx, 22, "movbe", processor, {SET(MOVBE)}},
    {1, 0, ecx, 23, "popcnt", processor, {SET(POPCNT)}},
    {1, 0, ecx, 24, "tsc_deadline_timer", fact, {}, 0, nullptr, "the local APIC has the mode"},
    {1, 0, ecx, 25, "aes", processor, {SET(AES), SET(AVXAES)}, 0, &Host::aes},
    {1, 0, ecx, 26, "xsave", cr4, {SET(XSAVE)}, CR4_OSXSAVE},
    {1, 0, ecx, 28, "avx", processor, {SET(AVX)}, 0, &Host::avx},
    {1, 0, ecx, 29, "f16c", processor, {SET(F16C)}, 0, &Host::avx},
    {1, 0, ecx, 30, "rdrand", processor, {SET(RDRAND)}},
    {1, 0, ecx, 31, "hypervisor", fact, {}, 0, nullptr, "this is one"},

    {6, 0, eax, 2, "arat", fact, {}, 0, nullptr, "the APIC timer never stops"},

    {7, 0, ebx, 0, "fsgsbase", cr4, {SET(RDWRFSGS)}, CR4_FSGSBASE},
    {7, 0, ebx, 1, "tsc_adjust", fact, {}, 0, nullptr, "IA32_TSC_ADJUST is an MSR of the VM"},
    {7, 0, ebx, 3, "bmi1", processor, {SET(BMI1)}},
    {7, 0, ebx, 5, "avx2", processor, {SET(AVX2), SET(AVX2GATHER)}, 0, &Host::avx},
    {7, 0, ebx, 7, "smep", cr4, {}, CR4_SMEP},
    {7, 0, ebx, 8, "bmi2", processor, {SET(BMI2)}},
    {7, 0, ebx, 9, "erms", fact, {}, 0, nullptr, "REP MOVSB and STOSB are as fast as the wider ones"},
    {7, 0, ebx, 10, "invpcid", guest, {SET(INVPCID)}},
    {7, 0, ebx, 18, "rdseed", processor, {SET(RDSEED)}},
    {7, 0, ebx, 19, "adx", processor, {SET(ADOX_ADCX)}},
    {7, 0, ebx, 20, "smap", processor, {SET(SMAP)}, CR4_SMAP},
    {7, 0, ebx, 23, "clflushopt", processor, {SET(CLFLUSHOPT)}},
    {7, 0, ebx, 24, "clwb", processor, {SET(CLWB)}},
    {7, 0, ebx, 29, "sha_ni", processor, {SET(SHA)}, 0, &Host::sha},

    {7, 0, ecx, 2, "umip", cr4, {}, CR4_UMIP},
    {7, 0, ecx, 3, "pku", cr4, {SET(PKU)}, CR4_PKE},
    {7, 0, ecx, 9, "vaes", processor, {SET(VAES)}, 0, &Host::avx},
    {7, 0, ecx, 10, "vpclmulqdq", processor, {SET(VPCLMULQDQ)}, 0, &Host::avx},
    {7, 0, ecx, 16, "la57", cr4, {}, CR4_LA57},
    {7, 0, ecx, 22, "rdpid", processor, {SET(RDPID)}},

    {7, 0, edx, 4, "fsrm", fact, {}, 0, nullptr, "short REP MOVSB has no start-up cost worth avoiding"},
    {7, 0, edx, 29, "arch_capabilities", fact, {}, 0, nullptr, "IA32_ARCH_CAPABILITIES is an MSR of the VM"},

    {7, 1, eax, 10, "fzrm", fact, {}, 0, nullptr, "REP MOVSB of length 0 costs nothing"},
    {7, 1, eax, 11, "fsrs", fact, {}, 0, nullptr, "short REP STOSB has no start-up cost worth avoiding"},
    {7, 1, eax, 12, "fsrc", fact, {}, 0, nullptr, "nor have short REP CMPSB and SCASB"},

    {0xd, 0, eax, 0, "xcr0_x87", xcr0, {}, 1},
    {0xd, 0, eax, 1, "xcr0_sse", xcr0, {}, 2},
    {0xd, 0, eax, 2, "xcr0_avx", xcr0, {}, 4, &Host::avx},
    {0xd, 0, eax, 9, "xcr0_pkru", xcr0, {}, 0x200},
    {0xd, 1, eax, 0, "xsaveopt", processor, {SET(XSAVEOPT)}},
    {0xd, 1, eax, 1, "xsavec", processor, {SET(XSAVEC)}},
    {0xd, 1, eax, 2, "xgetbv1", fact, {}, 0, nullptr, "XGETBV with ECX = 1; #GP without (Features::xgetbv1)"},
    {0xd, 1, eax, 3, "xsaves", processor, {SET(XSAVES)}},

    {0x80000001, 0, ecx, 0, "lahf_lm", baseline, {SET(LAHF)}},
    {0x80000001, 0, ecx, 1, "cmp_legacy", fact, {}, 0, nullptr, "how to read the number of threads in leaf 1"},
    {0x80000001, 0, ecx, 4, "cr8_legacy", fact, {}, 0, nullptr, "LOCK MOV CR0 is CR8 in legacy modes"},
    {0x80000001, 0, ecx, 5, "abm", processor, {SET(LZCNT)}},
    {0x80000001, 0, ecx, 6, "sse4a", processor, {SET(SSE4A)}},
    {0x80000001, 0, ecx, 8, "3dnowprefetch", baseline, {SET(PREFETCH_NOP)}},

    {0x80000001, 0, edx, 0, "fpu", baseline, {SET(X87)}},
    {0x80000001, 0, edx, 1, "vme", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 2, "de", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 3, "pse", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 4, "tsc", baseline, {SET(PENTIUMREAL)}},
    {0x80000001, 0, edx, 5, "msr", baseline, {SET(PENTIUMREAL)}},
    {0x80000001, 0, edx, 6, "pae", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 7, "mce", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 8, "cx8", baseline, {SET(PENTIUMREAL)}},
    {0x80000001, 0, edx, 9, "apic", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 11, "syscall", baseline, {SET(AMD)}},
    {0x80000001, 0, edx, 12, "mtrr", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 13, "pge", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 14, "mca", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 15, "cmov", baseline, {SET(CMOV), SET(FCMOV)}},
    {0x80000001, 0, edx, 16, "pat", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 17, "pse36", fact, {}, 0, nullptr, "as in leaf 1"},
    {0x80000001, 0, edx, 20, "nx", efer, {}, EFER_NX},
    {0x80000001, 0, edx, 22, "mmxext", baseline, {SET(PENTIUMMMX)}},
    {0x80000001, 0, edx, 23, "mmx", baseline, {SET(PENTIUMMMX)}},
    {0x80000001, 0, edx, 24, "fxsr", baseline, {SET(FXSAVE), SET(FXSAVE64)}},
    {0x80000001, 0, edx, 25, "fxsr_opt", efer, {}, EFER_FFXSR},
    {0x80000001, 0, edx, 26, "pdpe1gb", fact, {}, 0, nullptr, "the page walk has 1-GiB pages (Features::pages_1g)"},
    {0x80000001, 0, edx, 27, "rdtscp", guest, {SET(RDTSCP)}},
    {0x80000001, 0, edx, 29, "lm", efer, {SET(LONGMODE)}, EFER_LME},

    {0x80000008, 0, ebx, 2, "xsaveerptr", fact, {}, 0, nullptr, "the x87 pointers are saved and restored always"},
    {0x80000008, 0, ebx, 9, "wbnoinvd", fact, {}, 0, nullptr, "its encoding is that of WBINVD, which does all it does"},
};

#undef SET

}  // namespace

std::span<const CpuidBit> cpuid_bits() { return kBits; }

u32& word_of(Bus::CpuidResult& leaf, CpuidRegister reg) {
  u32* const words[] = {&leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx};
  return *words[static_cast<unsigned>(reg)];
}

Bus::CpuidResult executed_bits(u32 leaf, u32 subleaf, const Host& host) {
  Bus::CpuidResult result{};
  for (const CpuidBit& row : kBits) {
    if (row.leaf == leaf && row.subleaf == subleaf && row.is_executed_on(host))
      word_of(result, row.reg) |= 1u << row.bit;
  }
  return result;
}

std::span<const FeatureWord> feature_words() {
  static constexpr FeatureWord kWords[] = {
      {1, 0, ecx},          {1, 0, edx},          {6, 0, eax},          {7, 0, ebx},          {7, 0, ecx},
      {7, 0, edx},          {7, 1, eax},          {7, 1, ebx},          {7, 1, ecx},          {7, 1, edx},
      {7, 2, edx},          {0xd, 0, eax},        {0xd, 0, edx},        {0xd, 1, eax},        {0x80000001, 0, ecx},
      {0x80000001, 0, edx}, {0x80000007, 0, ebx}, {0x80000007, 0, edx}, {0x80000008, 0, ebx}, {0x8000000a, 0, edx},
      {0x80000021, 0, eax}, {0x80000021, 0, ecx}};
  return kWords;
}

}  // namespace mock::cpu
