// What an exception handler shows of the instruction that raised the exception.
#pragma once

#include <Zydis/Zydis.h>

#include <optional>

#include "conformance/random/world.hpp"

namespace conformance::random {

struct Fault {
  unsigned vector = 0;
  u64 error_code = 0;
  u64 rip = 0, rsp = 0;
  u32 rflags = 0;
  u64 rflags_at = 0;  // where they are in memory
  u16 cs = 0;
};

// Where the tables of the programs map an address to.
inline u64 physical(u64 linear) {
  if (linear >= 0x40000000) return linear - 0x40000000;
  return linear >= kLargePage ? linear - kLargePage : linear;
}

// Where in memory the stack of a world begins.
u64 stack_of(const Snapshot& snapshot);

bool has_error_code(unsigned vector, Mode mode);

// Of a world that stopped in a handler, at its HLT or before it; none if it stopped elsewhere or its stack is not in
// memory.
std::optional<Fault> fault_of(const Snapshot& snapshot, std::span<const u8> ram, Mode mode);

// An instruction and the memory that it reads or writes by its registers.
struct Instruction {
  ZydisDecodedInstruction info;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  struct Access {
    ZydisRegister segment;
    u64 offset;
    unsigned bytes;
    bool is_write;
  };
  std::vector<Access> accesses(const kvmapi::kvm_regs& regs) const;

  bool is_repeated() const {
    return info.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
  }
  // CX, ECX or RCX, as the address size says.
  u64 count(const kvmapi::kvm_regs& regs) const { return regs.rcx & (~u64{0} >> (64 - info.address_width)); }
};

// The instruction at RIP of the code under test.
std::optional<Instruction> decode(std::span<const u8> ram, u64 rip, unsigned bits);

}  // namespace conformance::random
