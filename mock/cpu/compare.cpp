// CMP, with its fused conditional jumps.
#include "mock/cpu/binary.hpp"
#include "mock/cpu/binary_select.hpp"

namespace mock::cpu {

void select_cmp(const Decoded& d, Op& op, Selection& s) { select_binary<Cmp, Fuse::all>(d, op, s); }

}  // namespace mock::cpu
