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
  const ZydisDecodedOperand* operands;  // visible ones first
  u32 mode_key;
};

struct Row {
  ZydisMnemonic mnemonic;
  Handler* handler = nullptr;
  u16 traits = 0;
  Handler* (*select)(const Decoded&, Op&) = nullptr;  // null result: not modelled
};

// Runs f; on false leaves to the fault path.
template <bool (*f)(Core&, const Op&)>
void call(Core* core, const Op* op, s64 budget);

// The families' tables.
std::span<const Row>
system_rows();  // descriptor tables, control/debug registers, MSRs, CPUID, INT, IRET, far transfers ...

}  // namespace mock::cpu
