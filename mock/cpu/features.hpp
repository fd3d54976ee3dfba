// What the guest's CPUID and the processor promise, in the form in which instructions ask for it. Read once per change
// of the CPUID table (Core::features), never per instruction.
#pragma once

#include <array>

#include "mock/cpu/bus.hpp"

namespace mock::cpu {

struct Features {
  bool is_amd = true;        // not Intel: SYSCALL/SYSENTER, page-table and segment details differ
  u8 physical_bits = 48;     // 80000008h EAX[7:0]
  u64 cr4_valid = ~u64{0};   // CR4 bits that may be set
  u64 efer_valid = ~u64{0};  // EFER bits that may be set
  u64 xcr0_valid = 1;        // 0Dh EDX:EAX
  bool pages_1g = true;
  bool monitor = true;
  bool xgetbv1 = true, compacted_xrstor = true;  // 0Dh.1 EAX
  std::array<u64, 4> undefined_sets{};           // Zydis' ISA sets that are #UD

  bool is_undefined(unsigned isa_set) const { return undefined_sets[isa_set / 64] >> (isa_set % 64) & 1; }
};

// From the guest's CPUID table; is_amd is the owner's to set (the hardware's vendor, not the one the guest is told).
Features read_features(Bus& bus);

}  // namespace mock::cpu
