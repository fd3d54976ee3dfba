// SHL SHR SAR ROL ROR RCL RCR SHLD SHRD and the flagless BMI2 forms.
// Flags that the manuals leave undefined (OF for counts above 1, AF) get what current AMD and Intel CPUs agree on where
// they do.
#include "mock/cpu/shift.hpp"

#include "mock/cpu/handler_kit.hpp"

namespace mock::cpu {

namespace {

template <class F, class T>
bool shift_slow(Core& core, const Op& op) {
  const unsigned count = op.prefixes & 32 ? get<u8>(&core, RCX * 8) : static_cast<u8>(op.imm);
  LazyFlags flags = core.lazy;
  if (!update_memory<T>(core, op, false, [&](T a) { return F::template eval<T>(a, count, flags); })) return false;
  core.lazy = flags;
  return true;
}

template <class F, class T, bool by_cl>
void shift_register(Core* core, const Op* op, s64 budget) {
  const unsigned count = by_cl ? get<u8>(core, RCX * 8) : static_cast<u8>(op->imm);
  LazyFlags flags = core->lazy;
  set<T>(core, op->slot[0], F::template eval<T>(get<T>(core, op->slot[0]), count, flags));
  commit(core, flags);
  MOCK_CPU_NEXT();
}

template <class F, class T>
void shift_no_flags(Core* core, const Op* op, s64 budget) {
  LazyFlags ignored;
  set<T>(core, op->slot[0], F::template eval<T>(get<T>(core, op->slot[0]), static_cast<u8>(op->imm), ignored));
  MOCK_CPU_NEXT();
}

template <class F>
void select_shift(const Decoded& d, Op& op, Selection& s) {
  const bool by_cl = d.instruction.operand_count_visible > 1 && d.is_register(1);
  if (by_cl) op.prefixes |= 32;
  with_type(d.operand_bits(0), [&]<class T>() {
    const unsigned count = static_cast<u8>(op.imm) & (sizeof(T) == 8 ? 63 : 31);
    if (d.is_memory(0)) {
      s.handler = &call<shift_slow<F, T>>;
      return;
    }
    s.may_leave = false;
    if (by_cl) {
      s.handler = &shift_register<F, T, true>;
    } else {
      s.handler = &shift_register<F, T, false>;
      s.reads_flags = F::kReadsCarry || F::kKeepsFlags || count == 0;
      s.overwrites_flags = !F::kKeepsFlags && count != 0;
      if constexpr (!F::kReadsCarry && !F::kKeepsFlags) s.without_flags = &shift_no_flags<F, T>;
    }
  });
}

// --- SHLD SHRD
// -------------------------------------------------------------------------------------------------------------------

template <bool left, class T>
bool double_shift(Core& core, const Op& op) {
  const unsigned count = op.prefixes & 32 ? get<u8>(&core, RCX * 8) : static_cast<u8>(op.imm);
  const T b = get<T>(&core, op.slot[1]);
  LazyFlags flags = core.lazy;
  if (op.is_memory(0)) {
    if (!update_memory<T>(core, op, false, [&](T a) { return double_shifted<left, T>(a, b, count, flags); }))
      return false;
  } else {
    set<T>(&core, op.slot[0], double_shifted<left, T>(get<T>(&core, op.slot[0]), b, count, flags));
  }
  core.lazy = flags;
  return true;
}

template <bool left>
void select_double(const Decoded& d, Op& op, Selection& s) {
  if (d.is_register(2)) op.prefixes |= 32;
  s.may_leave = d.is_memory(0);
  s.handler = d.operand_bits(0) == 16   ? &call<double_shift<left, u16>>
              : d.operand_bits(0) == 32 ? &call<double_shift<left, u32>>
                                        : &call<double_shift<left, u64>>;
}

// --- BMI2: RORX SARX SHLX SHRX
// -----------------------------------------------------------------------------------------------------

template <class F, class T>
bool shift_three(Core& core, const Op& op) {
  u64 a;
  if (!core.read_operand(op, 1, sizeof(T), a)) return false;
  LazyFlags ignored;
  const unsigned count = op.prefixes & 32 ? get<u8>(&core, op.slot[2]) : static_cast<u8>(op.imm);
  set<T>(&core, op.slot[0], F::template eval<T>(static_cast<T>(a), count, ignored));
  return true;
}

template <class F>
void select_three(const Decoded& d, Op& op, Selection& s) {
  if (d.is_register(2)) op.prefixes |= 32;
  s.reads_flags = false;
  s.may_leave = d.is_memory(1);
  s.handler = d.operand_bits(0) == 32 ? &call<shift_three<F, u32>> : &call<shift_three<F, u64>>;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_SHL, nullptr, 0, select_shift<Shl>},     {ZYDIS_MNEMONIC_SHR, nullptr, 0, select_shift<Shr>},
    {ZYDIS_MNEMONIC_SAR, nullptr, 0, select_shift<Sar>},     {ZYDIS_MNEMONIC_ROL, nullptr, 0, select_shift<Rol>},
    {ZYDIS_MNEMONIC_ROR, nullptr, 0, select_shift<Ror>},     {ZYDIS_MNEMONIC_RCL, nullptr, 0, select_shift<Rcl>},
    {ZYDIS_MNEMONIC_RCR, nullptr, 0, select_shift<Rcr>},     {ZYDIS_MNEMONIC_SHLD, nullptr, 0, select_double<true>},
    {ZYDIS_MNEMONIC_SHRD, nullptr, 0, select_double<false>}, {ZYDIS_MNEMONIC_RORX, nullptr, 0, select_three<Ror>},
    {ZYDIS_MNEMONIC_SARX, nullptr, 0, select_three<Sar>},    {ZYDIS_MNEMONIC_SHLX, nullptr, 0, select_three<Shl>},
    {ZYDIS_MNEMONIC_SHRX, nullptr, 0, select_three<Shr>},
};

}  // namespace

std::span<const Row> shift_rows() { return kRows; }

}  // namespace mock::cpu
