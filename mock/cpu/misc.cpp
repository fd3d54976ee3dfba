// Flag instructions, conversions, BCD, XLAT, IN and OUT, and what does nothing here (NOP, PAUSE, fences, prefetch,
// cache hints).
#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/port_io.hpp"

namespace mock::cpu {

namespace {

void nop(Core* core, const Op* op, s64 budget) { MOCK_CPU_NEXT(); }

void select_nop(const Decoded&, Op&, Selection& s) {
  s.handler = &nop;
  s.may_leave = s.reads_flags = false;
}

// Cache-line instructions fault like a byte load (SDM vol. 2, CLFLUSH).
bool touch_line(Core& core, const Op& op) {
  u64 value;
  return core.read_operand(op, 0, 1, value);
}

bool mfence(Core&, const Op&) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return true;
}

// --- Flags
// ----------------------------------------------------------------------------------------------------------------------

void replace_cf(Core* core, bool cf) {
  core->lazy = lazy_from_bits((arith_bits(core->lazy) & ~u32{CF}) | (cf ? CF : 0u));
}

bool clc(Core& core, const Op&) { return replace_cf(&core, false), true; }
bool stc(Core& core, const Op&) { return replace_cf(&core, true), true; }
bool cmc(Core& core, const Op&) { return replace_cf(&core, !lazy_cf(core.lazy)), true; }
bool cld(Core& core, const Op&) { return core.flags &= ~u32{DF}, true; }
bool std_(Core& core, const Op&) { return core.flags |= DF, true; }

bool lahf(Core& core, const Op&) {
  core.set_register(1, 1, (arith_bits(core.lazy) & 0xff) | kFlagsFixedOne);
  return true;
}

bool sahf(Core& core, const Op&) {
  constexpr u32 kMask = CF | PF | AF | ZF | SF;
  core.set_arith_flags((arith_bits(core.lazy) & OF) | (get<u8>(&core, 1) & kMask));
  return true;
}

bool salc(Core& core, const Op&) { return core.set_register(RAX * 8, 1, lazy_cf(core.lazy) ? 0xff : 0), true; }

// --- Conversions
// ----------------------------------------------------------------------------------------------------------------

template <class To, class From>
void widen(Core* core, const Op* op, s64 budget) {
  set<To>(core, RAX * 8, static_cast<To>(sign_extend(get<From>(core, RAX * 8))));
  MOCK_CPU_NEXT();
}

template <class T>
void sign_to_dx(Core* core, const Op* op, s64 budget) {
  set<T>(core, RDX * 8, static_cast<T>(sign_extend(get<T>(core, RAX * 8)) >> 63 ? ~T{0} : T{0}));
  MOCK_CPU_NEXT();
}

template <Handler* handler>
void select_pure(const Decoded&, Op&, Selection& s) {
  s.handler = handler;
  s.may_leave = s.reads_flags = false;
}

bool xlat(Core& core, const Op& op) {
  const u64 offset = (core.s.gpr[RBX] + get<u8>(&core, RAX * 8)) & kAddressMask[(op.address >> 3) & 3];
  u8 value;
  if (!core.read(op.segment(), offset, value)) return false;
  set<u8>(&core, RAX * 8, value);
  return true;
}

// --- BCD (SDM vol. 2). Undefined flags as current CPUs leave them
// -----------------------------------------------------------------

template <bool subtract>
bool decimal_adjust(Core& core, const Op&) {  // DAA, DAS
  const u8 al = get<u8>(&core, RAX * 8);
  const bool cf = lazy_cf(core.lazy), af = lazy_af(core.lazy);
  u8 result = al;
  bool carry = false;
  const bool low = (al & 15) > 9 || af;
  if (low) {
    result = static_cast<u8>(subtract ? result - 6 : result + 6);
    carry = cf || (subtract ? al < 6 : al > 0xf9);
  }
  if (al > 0x99 || cf) {
    result = static_cast<u8>(subtract ? result - 0x60 : result + 0x60);
    carry = true;
  }
  set<u8>(&core, RAX * 8, result);
  core.set_arith_flags((alu_logic(result).bits() & (SF | ZF | PF)) | (low ? AF : 0u) | (carry ? CF : 0u));
  return true;
}

template <bool subtract>
bool ascii_adjust(Core& core, const Op&) {  // AAA, AAS
  u16 ax = get<u16>(&core, RAX * 8);
  const bool adjust = (ax & 15) > 9 || lazy_af(core.lazy);
  if (adjust) ax = static_cast<u16>(subtract ? ax - 0x106 : ax + 0x106);
  ax &= 0xff0f;
  set<u16>(&core, RAX * 8, ax);
  core.set_arith_flags((alu_logic(static_cast<u8>(ax)).bits() & (SF | ZF | PF)) | (adjust ? AF | CF : 0u));
  return true;
}

bool aam(Core& core, const Op& op) {
  const u8 base = static_cast<u8>(op.imm), al = get<u8>(&core, RAX * 8);
  if (base == 0) return core.raise(DE);
  const u8 low = al % base;
  set<u16>(&core, RAX * 8, static_cast<u16>((al / base) << 8 | low));
  core.lazy = alu_logic(low).flags;
  return true;
}

bool aad(Core& core, const Op& op) {
  const u16 ax = get<u16>(&core, RAX * 8);
  const u8 low = static_cast<u8>((ax & 0xff) + (ax >> 8) * static_cast<u8>(op.imm));
  set<u16>(&core, RAX * 8, low);
  core.lazy = alu_logic(low).flags;
  return true;
}

// --- IN OUT
// ------------------------------------------------------------------------------------------------------------------------

u16 port_of(const Core& core, const Op& op, bool immediate) {
  return immediate ? static_cast<u8>(op.imm) : static_cast<u16>(core.s.gpr[RDX]);
}

template <unsigned size, bool immediate>
bool in(Core& core, const Op& op) {
  const u16 port = port_of(core, op, immediate);
  u64 value = 0;
  if (!port_allowed(core, port, size)) return false;
  if (!port_in_register(core, port, size, value)) return false;
  core.set_register(RAX * 8, size, value);
  return true;
}

template <unsigned size, bool immediate>
bool out(Core& core, const Op& op) {
  const u16 port = port_of(core, op, immediate);
  return port_allowed(core, port, size) &&
         port_out(core, port, size, core.s.gpr[RAX] & kAddressMask[__builtin_ctz(size)]);
}

void select_in(const Decoded& d, Op&, Selection& s) {
  const bool immediate = d.is_immediate(1);
  switch (d.operand_bits(0)) {
    case 8:
      s.handler = immediate ? &call<in<1, true>> : &call<in<1, false>>;
      break;
    case 16:
      s.handler = immediate ? &call<in<2, true>> : &call<in<2, false>>;
      break;
    default:
      s.handler = immediate ? &call<in<4, true>> : &call<in<4, false>>;
      break;
  }
}

void select_out(const Decoded& d, Op&, Selection& s) {
  const bool immediate = d.is_immediate(0);
  switch (d.operand_bits(1)) {
    case 8:
      s.handler = immediate ? &call<out<1, true>> : &call<out<1, false>>;
      break;
    case 16:
      s.handler = immediate ? &call<out<2, true>> : &call<out<2, false>>;
      break;
    default:
      s.handler = immediate ? &call<out<4, true>> : &call<out<4, false>>;
      break;
  }
}

bool movnti(Core& core, const Op& op) {
  const unsigned size = op.size_bytes();
  return core.write_operand(op, 0, size, core.register_value(op.slot[1], size));
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_NOP, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PAUSE, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_ENDBR32, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_ENDBR64, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_LFENCE, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_SFENCE, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_MFENCE, &call<mfence>},
    {ZYDIS_MNEMONIC_PREFETCH, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHW, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHWT1, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHNTA, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHT0, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHT1, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_PREFETCHT2, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_CLDEMOTE, nullptr, 0, select_nop},
    {ZYDIS_MNEMONIC_CLFLUSH, &call<touch_line>},
    {ZYDIS_MNEMONIC_CLFLUSHOPT, &call<touch_line>},
    {ZYDIS_MNEMONIC_CLWB, &call<touch_line>},
    {ZYDIS_MNEMONIC_UD0, nullptr, kUndefined},
    {ZYDIS_MNEMONIC_UD1, nullptr, kUndefined},
    {ZYDIS_MNEMONIC_UD2, nullptr, kUndefined},
    {ZYDIS_MNEMONIC_CLC, &call<clc>},
    {ZYDIS_MNEMONIC_STC, &call<stc>},
    {ZYDIS_MNEMONIC_CMC, &call<cmc>},
    {ZYDIS_MNEMONIC_CLD, &call<cld>},
    {ZYDIS_MNEMONIC_STD, &call<std_>},
    {ZYDIS_MNEMONIC_LAHF, &call<lahf>},
    {ZYDIS_MNEMONIC_SAHF, &call<sahf>},
    {ZYDIS_MNEMONIC_SALC, &call<salc>},
    {ZYDIS_MNEMONIC_CBW, nullptr, 0, select_pure<widen<u16, u8>>},
    {ZYDIS_MNEMONIC_CWDE, nullptr, 0, select_pure<widen<u32, u16>>},
    {ZYDIS_MNEMONIC_CDQE, nullptr, 0, select_pure<widen<u64, u32>>},
    {ZYDIS_MNEMONIC_CWD, nullptr, 0, select_pure<sign_to_dx<u16>>},
    {ZYDIS_MNEMONIC_CDQ, nullptr, 0, select_pure<sign_to_dx<u32>>},
    {ZYDIS_MNEMONIC_CQO, nullptr, 0, select_pure<sign_to_dx<u64>>},
    {ZYDIS_MNEMONIC_XLAT, &call<xlat>},
    {ZYDIS_MNEMONIC_DAA, &call<decimal_adjust<false>>},
    {ZYDIS_MNEMONIC_DAS, &call<decimal_adjust<true>>},
    {ZYDIS_MNEMONIC_AAA, &call<ascii_adjust<false>>},
    {ZYDIS_MNEMONIC_AAS, &call<ascii_adjust<true>>},
    {ZYDIS_MNEMONIC_AAM, &call<aam>},
    {ZYDIS_MNEMONIC_AAD, &call<aad>},
    {ZYDIS_MNEMONIC_IN, nullptr, kEndsBlock, select_in},
    {ZYDIS_MNEMONIC_OUT, nullptr, kEndsBlock, select_out},
    {ZYDIS_MNEMONIC_MOVNTI, &call<movnti>},
};

}  // namespace

std::span<const Row> misc_rows() { return kRows; }

}  // namespace mock::cpu
