// Integer operations of SSE2 (with their MMX and VEX forms) and the bitwise ones of SSE. One line per mnemonic.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

// Shift counts beyond the width give zeros (arithmetic: sign), as the intrinsics do with a register count.
V count(u8 imm) { return _mm_cvtsi32_si128(imm); }

// X(mnemonic, MMX kind, expression)
#define BINARY_OPERATIONS(X)                    \
  X(PADDB, lanes, _mm_add_epi8(a, b))           \
  X(PADDW, lanes, _mm_add_epi16(a, b))          \
  X(PADDD, lanes, _mm_add_epi32(a, b))          \
  X(PADDQ, lanes, _mm_add_epi64(a, b))          \
  X(PADDSB, lanes, _mm_adds_epi8(a, b))         \
  X(PADDSW, lanes, _mm_adds_epi16(a, b))        \
  X(PADDUSB, lanes, _mm_adds_epu8(a, b))        \
  X(PADDUSW, lanes, _mm_adds_epu16(a, b))       \
  X(PSUBB, lanes, _mm_sub_epi8(a, b))           \
  X(PSUBW, lanes, _mm_sub_epi16(a, b))          \
  X(PSUBD, lanes, _mm_sub_epi32(a, b))          \
  X(PSUBQ, lanes, _mm_sub_epi64(a, b))          \
  X(PSUBSB, lanes, _mm_subs_epi8(a, b))         \
  X(PSUBSW, lanes, _mm_subs_epi16(a, b))        \
  X(PSUBUSB, lanes, _mm_subs_epu8(a, b))        \
  X(PSUBUSW, lanes, _mm_subs_epu16(a, b))       \
  X(PMULLW, lanes, _mm_mullo_epi16(a, b))       \
  X(PMULHW, lanes, _mm_mulhi_epi16(a, b))       \
  X(PMULHUW, lanes, _mm_mulhi_epu16(a, b))      \
  X(PMULUDQ, lanes, _mm_mul_epu32(a, b))        \
  X(PMADDWD, lanes, _mm_madd_epi16(a, b))       \
  X(PSADBW, lanes, _mm_sad_epu8(a, b))          \
  X(PAVGB, lanes, _mm_avg_epu8(a, b))           \
  X(PAVGW, lanes, _mm_avg_epu16(a, b))          \
  X(PMINUB, lanes, _mm_min_epu8(a, b))          \
  X(PMINSW, lanes, _mm_min_epi16(a, b))         \
  X(PMAXUB, lanes, _mm_max_epu8(a, b))          \
  X(PMAXSW, lanes, _mm_max_epi16(a, b))         \
  X(PCMPEQB, lanes, _mm_cmpeq_epi8(a, b))       \
  X(PCMPEQW, lanes, _mm_cmpeq_epi16(a, b))      \
  X(PCMPEQD, lanes, _mm_cmpeq_epi32(a, b))      \
  X(PCMPGTB, lanes, _mm_cmpgt_epi8(a, b))       \
  X(PCMPGTW, lanes, _mm_cmpgt_epi16(a, b))      \
  X(PCMPGTD, lanes, _mm_cmpgt_epi32(a, b))      \
  X(PAND, lanes, _mm_and_si128(a, b))           \
  X(PANDN, lanes, _mm_andnot_si128(a, b))       \
  X(POR, lanes, _mm_or_si128(a, b))             \
  X(PXOR, lanes, _mm_xor_si128(a, b))           \
  X(ANDPS, none, _mm_and_si128(a, b))           \
  X(ANDPD, none, _mm_and_si128(a, b))           \
  X(ANDNPS, none, _mm_andnot_si128(a, b))       \
  X(ANDNPD, none, _mm_andnot_si128(a, b))       \
  X(ORPS, none, _mm_or_si128(a, b))             \
  X(ORPD, none, _mm_or_si128(a, b))             \
  X(XORPS, none, _mm_xor_si128(a, b))           \
  X(XORPD, none, _mm_xor_si128(a, b))           \
  X(PACKSSWB, pack, _mm_packs_epi16(a, b))      \
  X(PACKSSDW, pack, _mm_packs_epi32(a, b))      \
  X(PACKUSWB, pack, _mm_packus_epi16(a, b))     \
  X(PUNPCKHQDQ, none, _mm_unpackhi_epi64(a, b)) \
  X(PUNPCKLQDQ, none, _mm_unpacklo_epi64(a, b)) \
  X(UNPCKLPS, none, _mm_unpacklo_epi32(a, b))   \
  X(UNPCKHPS, none, _mm_unpackhi_epi32(a, b))   \
  X(UNPCKLPD, none, _mm_unpacklo_epi64(a, b))   \
  X(UNPCKHPD, none, _mm_unpackhi_epi64(a, b))

#define DEFINE(name, mmx, expression)                         \
  MOCK_CPU_OPERATION(                                         \
      name, expression, static constexpr Mmx kMmx = Mmx::mmx; \
      static V eval_mmx(V a, V b, u8 imm) { return evaluate_mmx<Mmx::mmx, &eval>(a, b, imm); })
BINARY_OPERATIONS(DEFINE)
#undef DEFINE

// The MMX forms read 32 bits of a memory operand, or interleave the high halves.
#define UNPACK_OPERATIONS(X) \
  X(PUNPCKLBW, _mm_unpacklo_epi8, lanes) X(PUNPCKLWD, _mm_unpacklo_epi16, lanes) X(PUNPCKLDQ, _mm_unpacklo_epi32, lanes)
#define DEFINE(name, intrinsic, mmx)                               \
  MOCK_CPU_OPERATION(                                              \
      name, intrinsic(a, b), static constexpr Mmx kMmx = Mmx::mmx; \
      static V eval_mmx(V a, V b, u8) { return intrinsic(a, b); })
UNPACK_OPERATIONS(DEFINE)
#undef DEFINE
#define UNPACK_HIGH_OPERATIONS(X)                      \
  X(PUNPCKHBW, _mm_unpackhi_epi8, _mm_unpacklo_epi8)   \
  X(PUNPCKHWD, _mm_unpackhi_epi16, _mm_unpacklo_epi16) \
  X(PUNPCKHDQ, _mm_unpackhi_epi32, _mm_unpacklo_epi32)
#define DEFINE(name, intrinsic, low)                                \
  MOCK_CPU_OPERATION(                                               \
      name, intrinsic(a, b), static constexpr Mmx kMmx = Mmx::high; \
      static V eval_mmx(V a, V b, u8) { return _mm_srli_si128(low(a, b), 8); })
UNPACK_HIGH_OPERATIONS(DEFINE)
#undef DEFINE

// Shifts: the count is an immediate or the low 64 bits of the second operand.
#define SHIFT_OPERATIONS(X) \
  X(PSLLW, _mm_sll_epi16)   \
  X(PSLLD, _mm_sll_epi32)   \
  X(PSLLQ, _mm_sll_epi64)   \
  X(PSRLW, _mm_srl_epi16)   \
  X(PSRLD, _mm_srl_epi32) X(PSRLQ, _mm_srl_epi64) X(PSRAW, _mm_sra_epi16) X(PSRAD, _mm_sra_epi32)
#define DEFINE(name, intrinsic)                                        \
  MOCK_CPU_OPERATION(                                                  \
      name, intrinsic(a, b), static constexpr Mmx kMmx = Mmx::lanes;   \
      static V eval_mmx(V a, V b, u8) { return intrinsic(a, b); })     \
  struct name##_immediate : OperationBase {                            \
    static V eval(V a, V, u8 imm) { return intrinsic(a, count(imm)); } \
  };
SHIFT_OPERATIONS(DEFINE)
#undef DEFINE

V shift_bytes(V a, u8 imm, bool left) {
  alignas(16) std::array<u8, 48> bytes{};
  const unsigned n = imm > 15 ? 16 : imm;
  _mm_store_si128(reinterpret_cast<V*>(bytes.data() + 16), a);
  return _mm_loadu_si128(reinterpret_cast<const V*>(bytes.data() + (left ? 16 - n : 16 + n)));
}
struct PSLLDQ_immediate : OperationBase {
  static V eval(V a, V, u8 imm) { return shift_bytes(a, imm, true); }
};
struct PSRLDQ_immediate : OperationBase {
  static V eval(V a, V, u8 imm) { return shift_bytes(a, imm, false); }
};

// Shifts by an immediate: SSE a = op(a, imm); VEX d = op(a, imm).
template <class Operation>
bool sse_immediate(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  const V a = get_xmm(&core, op.slot[0]);
  set_xmm(&core, op.slot[0], Operation::eval(a, a, static_cast<u8>(op.imm)));
  return true;
}
template <class Operation>
bool mmx_immediate(Core& core, const Op& op) {
  if (!mmx_ready(core)) return false;
  const V a = get_mmx(&core, op.slot[0]);
  set_mmx(&core, op.slot[0], Operation::eval(a, a, static_cast<u8>(op.imm)));
  return true;
}
template <class Operation, bool is_256>
bool vex_immediate(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  const V a = get_xmm(&core, op.slot[1]), high = get_high(&core, op.slot[1]);
  set_xmm(&core, op.slot[0], Operation::eval(a, a, static_cast<u8>(op.imm)));
  set_high(&core, op.slot[0], is_256 ? Operation::eval(high, high, static_cast<u8>(op.imm)) : _mm_setzero_si128());
  return true;
}

// VEX shifts by a register: the count operand is 128 bits wide for both lanes.
template <class Operation, bool is_256>
bool vex_shift(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  V amount;
  if (op.is_memory(2)) {
    if (!load_vector(core, op, 16, false, amount)) return false;
  } else {
    amount = get_xmm(&core, op.slot[2]);
  }
  const V low = get_xmm(&core, op.slot[1]), high = get_high(&core, op.slot[1]);
  set_xmm(&core, op.slot[0], Operation::eval(low, amount, 0));
  set_high(&core, op.slot[0], is_256 ? Operation::eval(high, amount, 0) : _mm_setzero_si128());
  return true;
}

bool is_mmx(const Decoded& d) { return ZydisRegisterGetClass(d.operands[0].reg.value) == ZYDIS_REGCLASS_MMX; }

template <class Operation, class Immediate>
void select_shift(const Decoded& d, Op& op, Selection& s) {
  if (!d.is_immediate(1)) return select_sse<Operation>(d, op, s);
  s.handler = is_mmx(d) ? &call<mmx_immediate<Immediate>> : &call<sse_immediate<Immediate>>;
}
template <class Operation, class Immediate>
void select_vex_shift(const Decoded& d, Op&, Selection& s) {
  const bool is_256 = d.operand_bits(0) == 256;
  if (d.is_immediate(2)) {
    s.handler = is_256 ? &call<vex_immediate<Immediate, true>> : &call<vex_immediate<Immediate, false>>;
  } else {
    s.handler = is_256 ? &call<vex_shift<Operation, true>> : &call<vex_shift<Operation, false>>;
  }
}
template <class Immediate>
void select_byte_shift(const Decoded&, Op&, Selection& s) {
  s.handler = &call<sse_immediate<Immediate>>;
}
template <class Immediate>
void select_vex_byte_shift(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(0) == 256 ? &call<vex_immediate<Immediate, true>> : &call<vex_immediate<Immediate, false>>;
}

constexpr Row kRows[] = {
#define ROW(name, ...) \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_sse<name>}, {ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex<name>},
    BINARY_OPERATIONS(ROW) UNPACK_OPERATIONS(ROW) UNPACK_HIGH_OPERATIONS(ROW)
#undef ROW
#define ROW(name, intrinsic)                                                 \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_shift<name, name##_immediate>}, \
      {ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex_shift<name, name##_immediate>},
        SHIFT_OPERATIONS(ROW)
#undef ROW
            {ZYDIS_MNEMONIC_PSLLDQ, nullptr, 0, select_byte_shift<PSLLDQ_immediate>},
    {ZYDIS_MNEMONIC_PSRLDQ, nullptr, 0, select_byte_shift<PSRLDQ_immediate>},
    {ZYDIS_MNEMONIC_VPSLLDQ, nullptr, 0, select_vex_byte_shift<PSLLDQ_immediate>},
    {ZYDIS_MNEMONIC_VPSRLDQ, nullptr, 0, select_vex_byte_shift<PSRLDQ_immediate>},
};

}  // namespace

std::span<const Row> simd_int_rows() { return kRows; }

}  // namespace mock::cpu
