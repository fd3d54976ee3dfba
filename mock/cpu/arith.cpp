// ADD ADC SUB SBB.
#include "mock/cpu/binary.hpp"
#include "mock/cpu/binary_select.hpp"

namespace mock::cpu {

void select_add(const Decoded& d, Op& op, Selection& s) { select_binary<Add, Fuse::registers>(d, op, s); }
void select_adc(const Decoded& d, Op& op, Selection& s) { select_binary<Adc, Fuse::none>(d, op, s); }
void select_sub(const Decoded& d, Op& op, Selection& s) { select_binary<Sub, Fuse::registers>(d, op, s); }
void select_sbb(const Decoded& d, Op& op, Selection& s) { select_binary<Sbb, Fuse::none>(d, op, s); }

}  // namespace mock::cpu
