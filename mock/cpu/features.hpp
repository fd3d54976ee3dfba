// What the guest's CPUID promises, in the form in which instructions ask for it. Read once per change of the CPUID
// table (Core::features), never per instruction.
#pragma once

#include "mock/cpu/bus.hpp"

namespace mock::cpu {

struct Features {
  bool is_amd = true;        // not Intel: SYSCALL/SYSENTER, page-table and segment details differ
  u8 physical_bits = 48;     // 80000008h EAX[7:0]
  u64 cr4_valid = ~u64{0};   // CR4 bits that may be set
  u64 efer_valid = ~u64{0};  // EFER bits that may be set
  u64 xcr0_valid = 1;        // 0Dh EDX:EAX
  bool pages_1g = true;
  bool rdtscp = true, rdpid = true, invpcid = true, monitor = true, rdrand = true, rdseed = true;
  bool xsave = true, pku = true, umip = true;
};

// From the guest's CPUID table; is_amd is the owner's to set (the hardware's vendor, not the one the guest is told).
Features read_features(Bus& bus);

}  // namespace mock::cpu
