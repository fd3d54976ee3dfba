// CPUID bits to Features. Bit positions: SDM vol. 2 CPUID, APM vol. 3 appendix E. Which CR4 and EFER bits follow from
// which CPUID bit is KVM's rule for a guest (arch/x86/kvm/x86.h, __kvm_valid_efer in x86.c).
#include "mock/cpu/features.hpp"

#include "mock/cpu/cpuid_table.hpp"
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

// Whether the guest can execute what belongs to a bit. A guest whose table has a bit that the processor lacks gets the
// processor that it was promised, if the host can execute it.
bool is_present(const CpuidBit& bit, Bus::CpuidResult processor, Bus::CpuidResult guest) {
  if (!bit.is_executed_on(host())) return false;
  const bool promised = has(word_of(guest, bit.reg), bit.bit);
  return promised || (bit.gate != Gate::guest && has(word_of(processor, bit.reg), bit.bit));
}

bool is_gated(Gate gate) { return gate == Gate::processor || gate == Gate::guest; }

void find_undefined_sets(Features& f, Bus& bus) {
  static_assert(ZYDIS_ISA_SET_MAX_VALUE < 256);
  for (const CpuidBit& bit : cpuid_bits()) {
    if (!is_gated(bit.gate)) continue;
    if (is_present(bit, bus.processor(bit.leaf, bit.subleaf), bus.cpuid(bit.leaf, bit.subleaf))) continue;
    for (const unsigned set : bit.sets) {
      if (set != ZYDIS_ISA_SET_INVALID) f.undefined_sets[set / 64] |= u64{1} << (set % 64);
    }
  }
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
  f.xcr0_valid = 1 | (ld.eax & bus.processor(0xd, 0).eax & executed_bits(0xd, 0, host()).eax);
  f.pages_1g = max_extended < 0x80000001 || has(l81.edx, 26);
  f.monitor = has(l1.ecx, 3);
  const u32 xsave = bus.processor(0xd, 1).eax | leaf(0xd, 1).eax;
  f.xgetbv1 = has(xsave, 2);
  f.compacted_xrstor = has(xsave, 1) || has(xsave, 3);
  find_undefined_sets(f, bus);
  return f;
}

}  // namespace mock::cpu
