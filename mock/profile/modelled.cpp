#include "mock/profile/modelled.hpp"

#include <initializer_list>

#include "kvmapi/cap.hpp"

namespace mock {
namespace {

constexpr u32 bits(std::initializer_list<unsigned> set) {
  u32 word = 0;
  for (unsigned bit : set) word |= 1u << bit;
  return word;
}

// Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFLUSH MMX FXSR SSE SSE2.
constexpr u32 kLeaf1Edx = bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26});
// Leaf 1 ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 x2APIC MOVBE POPCNT TSC-deadline XSAVE RDRAND hypervisor.
constexpr u32 kLeaf1Ecx = bits({0, 9, 13, 19, 20, 21, 22, 23, 24, 26, 30, 31});
// Leaf 7 EBX: FSGSBASE BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT.
constexpr u32 kLeaf7Ebx = bits({0, 3, 7, 8, 9, 18, 19, 20, 23});
// Leaf 7 ECX: UMIP RDPID.
constexpr u32 kLeaf7Ecx = bits({2, 22});
// 0x80000001 ECX: LAHF64 CR8-legacy LZCNT(ABM) 3DNow-prefetch. EDX: those of leaf 1, SYSCALL NX FFXSR GBPAGES RDTSCP
// LM.
constexpr u32 kExt1Ecx = bits({0, 4, 5, 8});
constexpr u32 kExt1Edx = bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 20, 23, 24, 25, 26, 27, 29});
constexpr u32 kXsaveExtended = 0;  // 0xd.1 EAX: no XSAVEOPT, XSAVEC, XSAVES

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

bool cut_to_modelled(kvm_cpuid_entry2& entry) {
  switch (entry.function) {
    case 1:
      entry.ecx &= kLeaf1Ecx;
      entry.edx &= kLeaf1Edx;
      return true;
    case 6:
      entry.eax &= 1u << 2;  // ARAT
      return true;
    case 7:
      entry.ebx &= kLeaf7Ebx;
      entry.ecx &= kLeaf7Ecx;
      entry.edx = 0;
      return true;
    case 0xd:
      if (entry.index == 0) {
        entry.eax &= kModelledXcr0;
        entry.edx = 0;
        entry.ebx = entry.ecx = 576;
      } else if (entry.index == 1) {
        entry.eax &= kXsaveExtended;
        entry.ebx = entry.ecx = entry.edx = 0;
      }
      return entry.index < 2;
    case 0x80000001:
      entry.ecx &= kExt1Ecx;
      entry.edx &= kExt1Edx;
      return true;
    case 0x80000008:
      entry.ebx = 0;
      // 48-bit linear addresses (no LA57) and 40-bit physical ones.
      entry.eax = (entry.eax & ~0xffffu) | 0x3028;
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
