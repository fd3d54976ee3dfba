// How an instruction becomes known to the engine: one Row per mnemonic, collected from the families in dispatch.cpp.
//
//   bool lgdt(Core& core, const Op& op);                            // semantics, in its family's file
//   {ZYDIS_MNEMONIC_LGDT, &call<lgdt>, kEndsBlock},                 // its row, in the family's table
//
// A row has either a handler (instructions written against Core and Op) or a selector that picks a specialised handler
// by the decoded operands.
#pragma once

#include <Zydis/Zydis.h>

#include <span>

#include "mock/cpu/core.hpp"

namespace mock::cpu {

enum Trait : u16 {
  kEndsBlock = 1 << 0,    // may change RIP, mode, privilege, paging, IF
  kLockable = 1 << 1,     // LOCK is allowed with a memory destination; else #UD
  kSerialising = 1 << 2,  // code changed by another CPU is seen after it
  kAlone = 1 << 3,        // a block of its own (instructions that look at the instruction count or time)
  kUndefined = 1 << 4,    // #UD always
};

// What decode.cpp knows about an instruction beside the Op.
struct Decoded {
  const ZydisDecodedInstruction& instruction;
  const ZydisDecodedOperand* operands;  // visible ones
  bool target_is_outside = false;       // relative branch to beyond the limit or to a non-canonical address

  bool is_64bit() const { return instruction.machine_mode == ZYDIS_MACHINE_MODE_LONG_64; }
  unsigned operand_bits(unsigned i) const { return operands[i].size; }
  bool is_register(unsigned i) const { return operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER; }
  bool is_memory(unsigned i) const { return operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY; }
  bool is_immediate(unsigned i) const { return operands[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE; }
};

// What a selector chose. The defaults are safe for any handler.
struct Selection {
  Handler* handler = nullptr;        // null: not modelled
  Handler* without_flags = nullptr;  // the same without writing flags, for when nobody can see them
  Handler* const* fused = nullptr;   // 16 handlers that also do the conditional jump that follows
  bool may_leave = true;             // may fault or stop
  bool overwrites_flags = false;     // all six arithmetic flags
  bool reads_flags = true;
};

struct Row {
  ZydisMnemonic mnemonic;
  Handler* handler = nullptr;
  u16 traits = 0;
  void (*select)(const Decoded&, Op&, Selection&) = nullptr;
};

// Runs f; on false leaves to the fault path.
template <bool (*f)(Core&, const Op&)>
void call(Core* core, const Op* op, s64 budget);

// The families' tables.
std::span<const Row> binary_rows();  // ADD OR ADC SBB AND SUB XOR CMP TEST
std::span<const Row> unary_rows();   // INC DEC NEG NOT
std::span<const Row> move_rows();    // MOV MOVZX MOVSX LEA XCHG CMOV SETcc ...
std::span<const Row> shift_rows();   // shifts, rotates, double shifts, BMI2 shifts
std::span<const Row> muldiv_rows();  // MUL IMUL DIV IDIV MULX
std::span<const Row> bits_rows();    // BT BSF POPCNT BMI ADX CMPXCHG XADD
std::span<const Row> stack_rows();   // PUSH POP PUSHA PUSHF ENTER LEAVE
std::span<const Row> branch_rows();  // JMP Jcc CALL RET LOOP (near)
std::span<const Row> string_rows();  // MOVS STOS LODS SCAS CMPS INS OUTS
std::span<const Row> misc_rows();    // flags, BCD, conversions, I/O, NOPs, HLT, #UD
std::span<const Row>
system_rows();  // descriptor tables, control/debug registers, MSRs, CPUID, INT, IRET, far transfers ...

}  // namespace mock::cpu
