// Selectors of the two-operand instructions; spread over files because their handlers are many.
#pragma once

#include "mock/cpu/row.hpp"

namespace mock::cpu {

void select_add(const Decoded&, Op&, Selection&);
void select_adc(const Decoded&, Op&, Selection&);
void select_sub(const Decoded&, Op&, Selection&);
void select_sbb(const Decoded&, Op&, Selection&);
void select_cmp(const Decoded&, Op&, Selection&);
void select_test(const Decoded&, Op&, Selection&);

}  // namespace mock::cpu
