#include "mock/profile/modelled.hpp"

#include "kvmapi/cap.hpp"
#include "mock/cpu/cpuid_table.hpp"
#include "mock/cpu/xstate.hpp"

namespace mock {
namespace {

constexpr u32 kPhysicalBits = 40;

constexpr Cap kNotModelled[] = {
    Cap::XenHvm,        Cap::Hyperv,          Cap::HypervVapic,    Cap::HypervSpin,         Cap::HypervTime,
    Cap::HypervSynic,   Cap::HypervSynic2,    Cap::HypervVpIndex,  Cap::HypervEventfd,      Cap::HypervTlbflush,
    Cap::HypervSendIpi, Cap::HypervCpuid,     Cap::SysHypervCpuid, Cap::HypervEnforceCpuid, Cap::SgxAttribute,
    Cap::GuestMemfd,    Cap::GuestMemfdFlags,
};

}  // namespace

bool is_modelled_capability(u32 number) {
  for (Cap cap : kNotModelled)
    if (number == static_cast<u32>(cap)) return false;
  return true;
}

// 0x40000000-0x4000ffff are Hyper-V's, 0x3xx and 0xc001020x performance counters.
bool is_modelled_msr(u32 index) {
  const bool hyperv = index >= 0x40000000 && index < 0x40010000;
  const bool pmu = (index >= 0xc1 && index <= 0xc8) || (index >= 0x186 && index <= 0x18d) ||
                   (index >= 0x309 && index <= 0x30b) || (index >= 0x38d && index <= 0x390);
  return !hyperv && !pmu;
}

namespace {

// Leaf 0Dh: the components that are left, at the places that the recorded processor has them at.
bool cut_xstate(kvm_cpuid_entry2& entry, u64 xcr0) {
  if (entry.index == 0) {
    entry.ebx = entry.ecx = cpu::xsave_bytes(xcr0, false);
  } else if (entry.index == 1) {
    entry.ebx = entry.ecx = entry.edx = 0;
  } else {
    return entry.index < 64 && (xcr0 >> entry.index & 1);
  }
  return true;
}

}  // namespace

bool cut_to_modelled(kvm_cpuid_entry2& entry, const cpu::Host& host) {
  cpu::Bus::CpuidResult executed = cpu::executed_bits(entry.function, entry.index, host);
  u32* const words[] = {&entry.eax, &entry.ebx, &entry.ecx, &entry.edx};
  for (const cpu::FeatureWord& word : cpu::feature_words()) {
    if (word.leaf == entry.function && word.subleaf == entry.index)
      *words[static_cast<unsigned>(word.reg)] &= word_of(executed, word.reg);
  }
  switch (entry.function) {
    case 0xd:
      return cut_xstate(entry, cpu::executed_bits(0xd, 0, host).eax);
    case 0x80000008:
      entry.eax = (entry.eax & ~0xffu) | kPhysicalBits;
      return true;
    case 0x8000000a:  // SVM
      entry.eax = entry.ebx = entry.ecx = entry.edx = 0;
      return true;
    case 0x40000001:
      entry.eax = 0;  // no paravirtual features
      return true;
    default:
      return true;
  }
}

}  // namespace mock
