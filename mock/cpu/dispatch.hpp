// From a decoded instruction to its row.
#pragma once

#include "mock/cpu/row.hpp"

namespace mock::cpu {

// Null: no row.
const Row* find_row(ZydisMnemonic mnemonic);
std::size_t row_count();

// The slot of a register in Op::slot (op.hpp).
u8 register_slot(ZydisRegister reg);

// A jump or call whose operand is a displacement.
bool is_relative_branch(const ZydisDecodedInstruction& instruction);

// The instruction belongs to an extension that no profile offers (EVEX and so on): #UD, as on a CPU without it.
bool is_absent(const ZydisDecodedInstruction& instruction);

Handler* undefined_handler();           // #UD
Handler* general_protection_handler();  // #GP(0): longer than 15 bytes
Handler* unmodelled_handler();          // Stop::unmodelled
Handler* fall_through_handler();        // into the next block

}  // namespace mock::cpu
