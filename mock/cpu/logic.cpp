// AND OR XOR, and the table of all two-operand instructions.
#include "mock/cpu/binary.hpp"
#include "mock/cpu/binary_select.hpp"

namespace mock::cpu {

namespace {

void select_and(const Decoded& d, Op& op, Selection& s) { select_binary<And, Fuse::registers>(d, op, s); }
void select_or(const Decoded& d, Op& op, Selection& s) { select_binary<Or, Fuse::none>(d, op, s); }
void select_xor(const Decoded& d, Op& op, Selection& s) { select_binary<Xor, Fuse::none>(d, op, s); }

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_ADD, nullptr, kLockable, select_add}, {ZYDIS_MNEMONIC_ADC, nullptr, kLockable, select_adc},
    {ZYDIS_MNEMONIC_SUB, nullptr, kLockable, select_sub}, {ZYDIS_MNEMONIC_SBB, nullptr, kLockable, select_sbb},
    {ZYDIS_MNEMONIC_AND, nullptr, kLockable, select_and}, {ZYDIS_MNEMONIC_OR, nullptr, kLockable, select_or},
    {ZYDIS_MNEMONIC_XOR, nullptr, kLockable, select_xor}, {ZYDIS_MNEMONIC_CMP, nullptr, 0, select_cmp},
    {ZYDIS_MNEMONIC_TEST, nullptr, 0, select_test},
};

}  // namespace

std::span<const Row> binary_rows() { return kRows; }

}  // namespace mock::cpu
