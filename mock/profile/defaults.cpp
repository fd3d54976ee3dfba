#include "mock/profile/defaults.hpp"

#include "kvmapi/uapi/constants.hpp"

namespace mock {
namespace {

constexpr u32 bits(std::initializer_list<unsigned> set) {
  u32 word = 0;
  for (unsigned bit : set) word |= 1u << bit;
  return word;
}

// CPUID leaf 1: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2.
constexpr u32 kLeaf1Edx = bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26});
// SSE3 SSSE3 CX16 SSE4.1 SSE4.2 X2APIC MOVBE POPCNT TSC-deadline HYPERVISOR.
constexpr u32 kLeaf1Ecx = bits({13, 21, 22, 23, 24, 31});
// FSGSBASE SMEP ERMS SMAP.
constexpr u32 kLeaf7Ebx = bits({0, 7, 9, 20});
constexpr u32 kLeaf7Ecx = bits({2});
// LAHF CMP_LEGACY-free set; SYSCALL NX FXSR_OPT GBPAGES RDTSCP LM.
constexpr u32 kExt1Ecx = bits({0, 4, 5, 8});
constexpr u32 kExt1Edx =
    (kLeaf1Edx & bits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 23, 24})) | bits({11, 20, 25, 26, 27, 29});

kvm_cpuid_entry2 entry(u32 function, u32 eax, u32 ebx, u32 ecx, u32 edx) {
  return {.function = function, .index = 0, .flags = 0, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx, .padding = {}};
}
kvm_cpuid_entry2 indexed(u32 function, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx) {
  kvm_cpuid_entry2 result = entry(function, eax, ebx, ecx, edx);
  result.index = index;
  result.flags = kCpuidFlagSignifcantIndex;
  return result;
}

constexpr u32 four(const char (&text)[5]) {
  return static_cast<u32>(text[0]) | static_cast<u32>(text[1]) << 8 | static_cast<u32>(text[2]) << 16 |
         static_cast<u32>(text[3]) << 24;
}

}  // namespace

std::vector<kvm_cpuid_entry2> default_supported_cpuid() {
  constexpr u32 kSignature = 0x00a60f12;
  return {
      entry(0, 0xd, four("Auth"), four("cAMD"), four("enti")),
      entry(1, kSignature, 0x00000800, kLeaf1Ecx, kLeaf1Edx),
      indexed(7, 0, 0, kLeaf7Ebx, kLeaf7Ecx, 0),
      indexed(0xd, 0, 3, 576, 576, 0),
      indexed(0xd, 1, 0, 0, 0, 0),
      entry(0x80000000, 0x8000001f, four("Auth"), four("cAMD"), four("enti")),
      entry(0x80000001, kSignature, 0, kExt1Ecx, kExt1Edx),
      entry(0x80000002, four("kvm "), four("mock"), four(" CPU"), 0),
      entry(0x80000003, 0, 0, 0, 0),
      entry(0x80000004, 0, 0, 0, 0),
      entry(0x80000005, 0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140),
      entry(0x80000006, 0, 0x42004200, 0x02008140, 0x00808140),
      entry(0x80000007, 0, 0, 0, 1u << 8),
      entry(0x80000008, 0x00003028, 0, 0, 0),
      entry(0x40000000, 0x40000001, four("KVMK"), four("VMKV"), four("M\0\0\0")),
      entry(0x40000001, 0, 0, 0, 0),
  };
}

// What KVM emulates whatever the hardware has: MOVBE, RDPID.
std::vector<kvm_cpuid_entry2> default_emulated_cpuid() {
  return {entry(0, 7, 0, 0, 0), entry(1, 0, 0, 1u << 22, 0), indexed(7, 0, 0, 0, 1u << 22, 0)};
}

std::vector<u32> default_msrs_to_save() {
  return {0x174,      0x175,      0x176,      0xc0000081, 0xc0000083, 0xc0000102, 0xc0000084, 0xc0000082, 0x10,
          0x277,      0xc0000103, 0x3b,       0x6e0,      0x1a0,      0x17a,      0x17b,      0x9e,       0x140,
          0xc0010015, 0xc001001f, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04};
}

}  // namespace mock
