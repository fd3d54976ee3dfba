// Far transfers of control: JMP, CALL, RET, IRET in every mode and form. SDM vol. 2 (their pages), vol.
// 3 5.8, 6.12-6.14; APM vol. 2 4.12, 8.7, 8.9. On entry state.rip is the next instruction; on success it is the target.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// `size`: operand size in bytes (2, 4, 8), of the offset and of what is pushed or popped.
bool far_jump(Core& core, u16 selector, u64 offset, unsigned size);
bool far_call(Core& core, u16 selector, u64 offset, unsigned size);
// `extra_bytes`: the immediate of RETF imm16.
bool far_return(Core& core, unsigned size, u16 extra_bytes);
bool interrupt_return(Core& core, unsigned size);

// The same as rows: JMP/CALL ptr16:16/32 and m16:16/32/64, RETF, IRET.
bool jmp_far(Core& core, const Op& op);
bool call_far(Core& core, const Op& op);
bool ret_far(Core& core, const Op& op);
bool iret(Core& core, const Op& op);

}  // namespace mock::cpu
