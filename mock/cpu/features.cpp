// CPUID bits to Features. Bit positions: SDM vol. 2 CPUID, APM vol. 3 appendix E. Which CR4 and EFER bits follow from
// which CPUID bit is KVM's rule for a guest (arch/x86/kvm/x86.h, __kvm_valid_efer in x86.c).
#include "mock/cpu/features.hpp"

#include "mock/cpu/state.hpp"

namespace mock::cpu {
namespace {

constexpr bool has(u32 word, int bit) { return word >> bit & 1; }

u64 cr4_bits(u32 ecx1, u32 ebx7, u32 ecx7) {
  // These need no CPUID bit under KVM.
  u64 valid = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
              CR4_OSXMMEXCPT;
  if (has(ecx1, 26)) valid |= CR4_OSXSAVE;
  if (has(ecx1, 17)) valid |= CR4_PCIDE;
  if (has(ebx7, 0)) valid |= CR4_FSGSBASE;
  if (has(ebx7, 7)) valid |= CR4_SMEP;
  if (has(ebx7, 20)) valid |= CR4_SMAP;
  if (has(ecx7, 2)) valid |= CR4_UMIP;
  if (has(ecx7, 3)) valid |= CR4_PKE;
  if (has(ecx7, 16)) valid |= CR4_LA57;
  return valid;
}

u64 efer_bits(u32 ecx81, u32 edx81) {
  u64 valid = EFER_SCE;
  if (has(edx81, 29)) valid |= EFER_LME | EFER_LMA;
  if (has(edx81, 20)) valid |= EFER_NX;
  if (has(edx81, 25)) valid |= EFER_FFXSR;
  if (has(ecx81, 2)) valid |= EFER_SVME;
  return valid;
}

}  // namespace

Features read_features(Bus& bus) {
  Features f;
  const u32 max_basic = bus.cpuid(0, 0).eax;
  const u32 max_extended = bus.cpuid(0x80000000, 0).eax;
  const auto leaf = [&](u32 number, u32 subleaf = 0) {
    const u32 max = number >= 0x80000000 ? max_extended : max_basic;
    return number <= max ? bus.cpuid(number, subleaf) : Bus::CpuidResult{};
  };
  const auto l1 = leaf(1), l7 = leaf(7), l81 = leaf(0x80000001), l88 = leaf(0x80000008), ld = leaf(0xd);
  if (l88.eax & 0xff) f.physical_bits = l88.eax & 0xff;
  f.cr4_valid = cr4_bits(l1.ecx, l7.ebx, l7.ecx);
  f.efer_valid = efer_bits(l81.ecx, l81.edx);
  f.xcr0_valid = 1 | ld.eax | u64{ld.edx} << 32;
  f.pages_1g = max_extended < 0x80000001 || has(l81.edx, 26);
  f.rdtscp = has(l81.edx, 27);
  f.rdpid = has(l7.ecx, 22);
  f.invpcid = has(l7.ebx, 10);
  f.monitor = has(l1.ecx, 3);
  f.rdrand = has(l1.ecx, 30);
  f.rdseed = has(l7.ebx, 18);
  f.xsave = has(l1.ecx, 26);
  f.pku = has(l7.ecx, 3);
  f.umip = has(l7.ecx, 2);
  return f;
}

}  // namespace mock::cpu
