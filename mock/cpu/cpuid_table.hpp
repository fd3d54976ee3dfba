// Every CPUID bit that this CPU stands for: which instructions (by Zydis' ISA sets) or which control bit belong to it,
// and what decides whether the guest has them. One table, read in both directions: what may be offered in CPUID, and
// what is #UD. Bit positions and names: SDM vol. 2 CPUID, APM vol. 3 appendix E, Linux cpufeatures.h.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <span>

#include "mock/cpu/bus.hpp"
#include "mock/cpu/host.hpp"

namespace mock::cpu {

// What decides whether a guest has the feature. kvm_amd cannot hide most instructions: what the processor has, a guest
// executes, whatever its CPUID says.
enum class Gate : u8 {
  baseline,   // its instructions are part of every x86-64 processor
  processor,  // #UD if the processor lacks it
  guest,      // #UD if the guest's CPUID lacks it: KVM intercepts the instruction
  cr4,        // the guest's CPUID decides whether a bit of CR4 may be set
  efer,       // ... of EFER
  xcr0,       // ... of XCR0, by leaf 0Dh
  fact,       // no instruction and no control bit; see CpuidBit::note
};

enum class CpuidRegister : u8 { eax, ebx, ecx, edx };

struct CpuidBit {
  u32 leaf, subleaf;
  CpuidRegister reg;
  u8 bit;
  const char* name;
  Gate gate;
  std::array<ZydisISASet, 3> sets{};  // ZYDIS_ISA_SET_INVALID: none
  u64 control = 0;                    // the bit of CR4, EFER or XCR0
  bool Host::*needs = nullptr;        // of the host, to execute the instructions
  const char* note = "";              // of a fact: why it is true of this CPU

  bool is_executed_on(const Host& host) const { return !needs || host.*needs; }
};

std::span<const CpuidBit> cpuid_bits();

u32& word_of(Bus::CpuidResult& leaf, CpuidRegister reg);

// The bits of the table in one leaf that a host can execute: all that may be offered there.
Bus::CpuidResult executed_bits(u32 leaf, u32 subleaf, const Host& host);

// The words of CPUID that consist of feature bits.
struct FeatureWord {
  u32 leaf, subleaf;
  CpuidRegister reg;
};
std::span<const FeatureWord> feature_words();

}  // namespace mock::cpu
