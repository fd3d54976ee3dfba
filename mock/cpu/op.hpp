// One decoded instruction as the engine keeps it: 32 bytes, no C++ state, no pointer but its handler. Built once by
// decode.cpp, read by handlers on every execution.
//
// Operand n (0, 1, 2 in Intel order, explicit operands only) is either the memory operand (n + 1 == memory_operand())
// or the register in slot n. A slot holds: the byte offset in State::gpr for general registers (AH is 1, CL is 8), else
// the register's number (segment, CR, DR, MMX, XMM/YMM, ST).
#pragma once

#include "mock/cpu/state.hpp"

namespace mock::cpu {

struct Core;
struct Op;

// Handlers end in a tail call of the next op's handler. `budget` counts the instructions that may still start.
using Handler = void(Core* core, const Op* op, s64 budget);

enum class Rep : u8 { none, rep, repne };

struct Op {
  Handler* handler = nullptr;
  s64 disp = 0;  // displacement; absolute for RIP-relative operands; the immediate of MOV r64, imm64
  s32 imm = 0;   // first immediate, sign-extended as the instruction does; far pointers: the offset, selector in disp
  u8 slot[3] = {};
  u8 base = 0, index = 0;  // byte offsets in State::gpr; offset of always_zero when absent
  u8 scale_size = 0;       // bits 0-1: log2 of the index scale; bits 2-4: log2 of the operand size in bytes
  u8 address = 0;   // bits 0-2: SegReg; bits 3-4: log2 of the address size in bytes; bits 5-6: memory operand + 1
  u8 length = 0;    // instruction length in bytes
  u16 offset = 0;   // of the instruction from the block's first byte
  u8 position = 0;  // index of this op in its block
  u8 prefixes = 0;  // bits 0-1: Rep; bit 2: LOCK; bit 3: second immediate present (in disp); bit 4: ends its block; bit
                    // 5: the second operand is a register; bit 6: serialises

  unsigned scale() const { return scale_size & 3; }
  unsigned size_log2() const { return (scale_size >> 2) & 7; }
  unsigned size_bytes() const { return 1u << size_log2(); }  // of the operation (the effective operand size)
  SegReg segment() const { return static_cast<SegReg>(address & 7); }
  unsigned address_bytes() const { return 1u << ((address >> 3) & 3); }
  unsigned memory_operand() const { return address >> 5; }  // 0: none, else operand number + 1
  bool is_memory(unsigned operand) const { return memory_operand() == operand + 1; }
  Rep rep() const { return static_cast<Rep>(prefixes & 3); }
  bool lock() const { return prefixes & 4; }
  bool ends_block() const { return prefixes & 16; }
  bool serialises() const { return prefixes & 64; }
};
static_assert(sizeof(Op) == 32);

inline constexpr u8 kNoRegister = 16 * 8;  // State::always_zero

}  // namespace mock::cpu
