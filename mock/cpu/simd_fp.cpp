// Floating-point arithmetic and comparison of SSE and SSE2 on the host's own unit under the guest's MXCSR, with their
// VEX forms (without the further predicates of VCMPxx: simd_avx.cpp).
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

// The instruction itself, not the intrinsic: compilers swap the operands of additions and multiplications, and with two
// NaNs the first one is the result.
#define MOCK_CPU_FP_INSTRUCTION(insn)                            \
  [](V x, V y) {                                                 \
    asm volatile(insn " %[y], %[x]" : [x] "+x"(x) : [y] "x"(y)); \
    return x;                                                    \
  }(a, b)
#define PS(op) MOCK_CPU_FP_INSTRUCTION(#op "ps")
#define PD(op) MOCK_CPU_FP_INSTRUCTION(#op "pd")
#define SS(op) MOCK_CPU_FP_INSTRUCTION(#op "ss")
#define SD(op) MOCK_CPU_FP_INSTRUCTION(#op "sd")

// X(mnemonic, bytes of a memory operand, expression)
// clang-format off: its layout of so long a list does not settle
#define ARITHMETIC(X)                                                \
  X(ADDPS, 16, PS(add))                                              \
  X(ADDPD, 16, PD(add))                                              \
  X(ADDSS, 4, SS(add))                                               \
  X(ADDSD, 8, SD(add))                                               \
  X(SUBPS, 16, PS(sub))                                              \
  X(SUBPD, 16, PD(sub))                                              \
  X(SUBSS, 4, SS(sub))                                               \
  X(SUBSD, 8, SD(sub))                                               \
  X(MULPS, 16, PS(mul))                                              \
  X(MULPD, 16, PD(mul))                                              \
  X(MULSS, 4, SS(mul))                                               \
  X(MULSD, 8, SD(mul))                                               \
  X(DIVPS, 16, PS(div))                                              \
  X(DIVPD, 16, PD(div))                                              \
  X(DIVSS, 4, SS(div))                                               \
  X(DIVSD, 8, SD(div))                                               \
  X(MINPS, 16, PS(min))                                              \
  X(MINPD, 16, PD(min))                                              \
  X(MINSS, 4, SS(min))                                               \
  X(MINSD, 8, SD(min))                                               \
  X(MAXPS, 16, PS(max))                                              \
  X(MAXPD, 16, PD(max))                                              \
  X(MAXSS, 4, SS(max))                                               \
  X(MAXSD, 8, SD(max))                                               \
  X(SQRTSS, 4, as_int(_mm_move_ss(as_ps(a), _mm_sqrt_ss(as_ps(b))))) \
  X(SQRTSD, 8, SD(sqrt))                                             \
  X(CVTSS2SD, 4, as_int(_mm_cvtss_sd(as_pd(a), as_ps(b))))           \
  X(CVTSD2SS, 8, as_int(_mm_cvtsd_ss(as_ps(a), as_pd(b))))
// clang-format on

// One operand: a is not used.
#define UNARY(X)                               \
  X(SQRTPS, 16, as_int(_mm_sqrt_ps(as_ps(b)))) \
  X(SQRTPD, 16, as_int(_mm_sqrt_pd(as_pd(b)))) \
  X(CVTDQ2PS, 16, as_int(_mm_cvtepi32_ps(b)))  \
  X(CVTPS2DQ, 16, _mm_cvtps_epi32(as_ps(b)))   \
  X(CVTTPS2DQ, 16, _mm_cvttps_epi32(as_ps(b)))

// The number of elements changes; the 256-bit forms are in simd_avx.cpp.
#define WIDTH_CHANGING(X)                         \
  X(CVTPS2PD, 8, as_int(_mm_cvtps_pd(as_ps(b))))  \
  X(CVTDQ2PD, 8, as_int(_mm_cvtepi32_pd(b)))      \
  X(CVTPD2PS, 16, as_int(_mm_cvtpd_ps(as_pd(b)))) \
  X(CVTPD2DQ, 16, _mm_cvtpd_epi32(as_pd(b)))      \
  X(CVTTPD2DQ, 16, _mm_cvttpd_epi32(as_pd(b)))

// Approximations: the host's. They raise no exceptions.
#define APPROXIMATIONS(X)                                                     \
  X(RCPSS, 4, false, as_int(_mm_move_ss(as_ps(a), _mm_rcp_ss(as_ps(b)))))     \
  X(RSQRTSS, 4, false, as_int(_mm_move_ss(as_ps(a), _mm_rsqrt_ss(as_ps(b))))) \
  X(RCPPS, 16, true, as_int(_mm_rcp_ps(as_ps(b))))                            \
  X(RSQRTPS, 16, true, as_int(_mm_rsqrt_ps(as_ps(b))))

#define DEFINE(name, bytes, expression) \
  MOCK_CPU_OPERATION(name, expression, static constexpr Fp kFp = Fp::yes; static constexpr unsigned kBytes = bytes;)
ARITHMETIC(DEFINE)
#undef DEFINE
#define DEFINE(name, bytes, expression)                                                                             \
  MOCK_CPU_OPERATION(name, expression, static constexpr Fp kFp = Fp::yes; static constexpr unsigned kBytes = bytes; \
                     static constexpr bool kUnary = true;)
UNARY(DEFINE)
WIDTH_CHANGING(DEFINE)
#undef DEFINE
#define DEFINE(name, bytes, unary, expression) \
  MOCK_CPU_OPERATION(name, expression, static constexpr unsigned kBytes = bytes; static constexpr bool kUnary = unary;)
APPROXIMATIONS(DEFINE)
#undef DEFINE

// The eight predicates of CMPPS and so on.
#define PREDICATE(suffix, cast)                               \
  switch (imm & 7) {                                          \
    case 0:                                                   \
      return as_int(_mm_cmpeq_##suffix(cast(a), cast(b)));    \
    case 1:                                                   \
      return as_int(_mm_cmplt_##suffix(cast(a), cast(b)));    \
    case 2:                                                   \
      return as_int(_mm_cmple_##suffix(cast(a), cast(b)));    \
    case 3:                                                   \
      return as_int(_mm_cmpunord_##suffix(cast(a), cast(b))); \
    case 4:                                                   \
      return as_int(_mm_cmpneq_##suffix(cast(a), cast(b)));   \
    case 5:                                                   \
      return as_int(_mm_cmpnlt_##suffix(cast(a), cast(b)));   \
    case 6:                                                   \
      return as_int(_mm_cmpnle_##suffix(cast(a), cast(b)));   \
    default:                                                  \
      return as_int(_mm_cmpord_##suffix(cast(a), cast(b)));   \
  }
V compare_ps(V a, V b, u8 imm){PREDICATE(ps, as_ps)} V compare_pd(V a, V b, u8 imm){PREDICATE(pd, as_pd)} V
    compare_ss(V a, V b, u8 imm){PREDICATE(ss, as_ps)} V compare_sd(V a, V b, u8 imm){PREDICATE(sd, as_pd)}
#define DEFINE(name, bytes, f) \
  MOCK_CPU_OPERATION(name, f(a, b, imm), static constexpr Fp kFp = Fp::yes; static constexpr unsigned kBytes = bytes;)
DEFINE(CMPPS, 16, compare_ps) DEFINE(CMPPD, 16, compare_pd) DEFINE(CMPSS, 4, compare_ss) DEFINE(CMPSD, 8, compare_sd)
#undef DEFINE

    // CMPSD is also the string instruction.
    void select_cmpsd(const Decoded& d, Op& op, Selection& s) {
  if (d.is_register(0) && ZydisRegisterGetClass(d.operands[0].reg.value) == ZYDIS_REGCLASS_XMM)
    return select_sse<CMPSD>(d, op, s);
  for (const Row& row : string_rows()) {
    if (row.mnemonic == ZYDIS_MNEMONIC_CMPSD) s.handler = row.handler;
  }
  op.prefixes |= 16;  // ends its block, as all string instructions
}

// --- Comparisons that set flags, conversions from and to general registers
bool ready(Core& core, bool vex) { return vex ? avx_ready(core) : sse_ready(core); }

bool load_source(Core& core, const Op& op, unsigned operand, unsigned bytes, V& value) {
  if (op.is_memory(operand)) return load_vector(core, op, bytes, false, value);
  value = get_xmm(&core, op.slot[operand]);
  return true;
}

#define COMPARE(insn) \
  asm volatile(insn " %[b], %[a]" : "=@ccz"(zero), "=@ccp"(parity), "=@ccc"(carry) : [a] "x"(a), [b] "x"(b))

enum class Compare : u8 { comiss, comisd, ucomiss, ucomisd };

template <Compare kind, bool vex>
bool compare_flags(Core& core, const Op& op) {
  constexpr unsigned kBytes = kind == Compare::comiss || kind == Compare::ucomiss ? 4 : 8;
  V b;
  if (!ready(core, vex) || !load_source(core, op, 1, kBytes, b)) return false;
  V a = get_xmm(&core, op.slot[0]);
  bool zero, parity, carry;
  FpScope scope(core);
  if constexpr (kind == Compare::comiss) COMPARE("comiss");
  if constexpr (kind == Compare::comisd) COMPARE("comisd");
  if constexpr (kind == Compare::ucomiss) COMPARE("ucomiss");
  if constexpr (kind == Compare::ucomisd) COMPARE("ucomisd");
  if (!merge_fp_flags(core, scope.leave())) return false;
  core.set_arith_flags((zero ? u32{ZF} : 0) | (parity ? u32{PF} : 0) | (carry ? u32{CF} : 0));
  return true;
}

enum class From : u8 { single, dbl };

template <From from, bool truncate, bool vex>
bool to_integer(Core& core, const Op& op) {
  V b;
  if (!ready(core, vex) || !load_source(core, op, 1, from == From::single ? 4 : 8, b)) return false;
  const bool wide = op.slot[2] != 0;
  FpScope scope(core);
  pin(b);
  s64 result;
  if (wide) {
    result = from == From::single ? (truncate ? _mm_cvttss_si64(as_ps(b)) : _mm_cvtss_si64(as_ps(b)))
                                  : (truncate ? _mm_cvttsd_si64(as_pd(b)) : _mm_cvtsd_si64(as_pd(b)));
  } else {
    result = from == From::single ? (truncate ? _mm_cvttss_si32(as_ps(b)) : _mm_cvtss_si32(as_ps(b)))
                                  : (truncate ? _mm_cvttsd_si32(as_pd(b)) : _mm_cvtsd_si32(as_pd(b)));
  }
  asm volatile("" : "+r"(result));
  if (!merge_fp_flags(core, scope.leave())) return false;
  core.set_register(op.slot[0], wide ? 8 : 4, static_cast<u64>(result));
  return true;
}

template <From from, bool truncate, bool vex>
void select_to_integer(const Decoded& d, Op& op, Selection& s) {
  op.slot[2] = d.operand_bits(0) == 64;
  s.handler = &call<to_integer<from, truncate, vex>>;
}

// The integer is operand 1 (VEX: 2); imm says whether it has 64 bits.
template <From to, bool vex>
bool from_integer(Core& core, const Op& op) {
  constexpr unsigned kSource = vex ? 2 : 1;
  if (!ready(core, vex)) return false;
  const unsigned bytes = op.imm ? 8 : 4;
  u64 raw = 0;
  if (op.is_memory(kSource)) {
    V loaded;
    if (!load_vector(core, op, bytes, false, loaded)) return false;
    raw = static_cast<u64>(_mm_cvtsi128_si64(loaded));
  } else {
    raw = core.register_value(op.slot[kSource], bytes);
  }
  s64 value = bytes == 8 ? static_cast<s64>(raw) : static_cast<s32>(raw);
  const V a = get_xmm(&core, op.slot[vex ? 1 : 0]);
  FpScope scope(core);
  asm volatile("" : "+r"(value));
  V result = to == From::single ? as_int(_mm_cvtsi64_ss(as_ps(a), value)) : as_int(_mm_cvtsi64_sd(as_pd(a), value));
  pin(result);
  if (!merge_fp_flags(core, scope.leave())) return false;
  set_xmm(&core, op.slot[0], result);
  if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}

template <From to, bool vex>
void select_from_integer(const Decoded& d, Op& op, Selection& s) {
  op.imm = d.operand_bits(vex ? 2 : 1) == 64;
  s.handler = &call<from_integer<to, vex>>;
}

// --- MMX operands
enum class Pi : u8 { ps_from_pi, pd_from_pi, pi_from_ps, pi_from_ps_truncated, pi_from_pd, pi_from_pd_truncated };

V convert_pi(Pi kind, V a, V b) {
  switch (kind) {
    case Pi::ps_from_pi:
      return _mm_unpacklo_epi64(as_int(_mm_cvtepi32_ps(b)), _mm_srli_si128(a, 8));
    case Pi::pd_from_pi:
      return as_int(_mm_cvtepi32_pd(b));
    case Pi::pi_from_ps:
      return _mm_cvtps_epi32(as_ps(b));
    case Pi::pi_from_ps_truncated:
      return _mm_cvttps_epi32(as_ps(b));
    case Pi::pi_from_pd:
      return _mm_cvtpd_epi32(as_pd(b));
    case Pi::pi_from_pd_truncated:
      return _mm_cvttpd_epi32(as_pd(b));
  }
  return a;
}

template <Pi kind>
bool convert_mmx(Core& core, const Op& op) {
  constexpr bool kToXmm = kind == Pi::ps_from_pi || kind == Pi::pd_from_pi;
  constexpr bool kFromPd = kind == Pi::pi_from_pd || kind == Pi::pi_from_pd_truncated;
  const bool uses_mmx = !(kind == Pi::pd_from_pi && op.is_memory(1));
  if (!sse_ready(core) || (uses_mmx && !mmx_ready(core))) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, kFromPd ? 16 : 8, kFromPd, b)) return false;
  } else {
    b = kToXmm ? get_mmx(&core, op.slot[1]) : get_xmm(&core, op.slot[1]);
  }
  if (!kToXmm && !kFromPd) b = _mm_unpacklo_epi64(b, _mm_setzero_si128());
  const V a = get_xmm(&core, op.slot[0] & 15);
  FpScope scope(core);
  pin(b);
  V result = convert_pi(kind, a, b);
  pin(result);
  if (!merge_fp_flags(core, scope.leave())) return false;
  if (kToXmm) {
    set_xmm(&core, op.slot[0], result);
    if (uses_mmx) touch_mmx(&core);
  } else {
    set_mmx(&core, op.slot[0], result);
  }
  return true;
}

constexpr Row kRows[] = {
#define ROW(name, ...) \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_sse<name>}, {ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex<name>},
    ARITHMETIC(ROW) UNARY(ROW) APPROXIMATIONS(ROW)
#undef ROW
#define ROW(name, ...) {ZYDIS_MNEMONIC_##name, nullptr, 0, select_sse<name>},
        WIDTH_CHANGING(ROW) ROW(CMPPS) ROW(CMPPD) ROW(CMPSS)
#undef ROW
            {ZYDIS_MNEMONIC_CMPSD, nullptr, 0, select_cmpsd},
#define ROW(name, kind)                                                \
  {ZYDIS_MNEMONIC_##name, &call<compare_flags<Compare::kind, false>>}, \
      {ZYDIS_MNEMONIC_V##name, &call<compare_flags<Compare::kind, true>>},
    ROW(COMISS, comiss) ROW(COMISD, comisd) ROW(UCOMISS, ucomiss) ROW(UCOMISD, ucomisd)
#undef ROW
#define ROW(name, from, truncate)                                                      \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_to_integer<From::from, truncate, false>}, \
      {ZYDIS_MNEMONIC_V##name, nullptr, 0, select_to_integer<From::from, truncate, true>},
        ROW(CVTSS2SI, single, false) ROW(CVTTSS2SI, single, true) ROW(CVTSD2SI, dbl, false) ROW(CVTTSD2SI, dbl, true)
#undef ROW
            {ZYDIS_MNEMONIC_CVTSI2SS, nullptr, 0, select_from_integer<From::single, false>},
    {ZYDIS_MNEMONIC_CVTSI2SD, nullptr, 0, select_from_integer<From::dbl, false>},
    {ZYDIS_MNEMONIC_VCVTSI2SS, nullptr, 0, select_from_integer<From::single, true>},
    {ZYDIS_MNEMONIC_VCVTSI2SD, nullptr, 0, select_from_integer<From::dbl, true>},
    {ZYDIS_MNEMONIC_CVTPI2PS, &call<convert_mmx<Pi::ps_from_pi>>},
    {ZYDIS_MNEMONIC_CVTPI2PD, &call<convert_mmx<Pi::pd_from_pi>>},
    {ZYDIS_MNEMONIC_CVTPS2PI, &call<convert_mmx<Pi::pi_from_ps>>},
    {ZYDIS_MNEMONIC_CVTTPS2PI, &call<convert_mmx<Pi::pi_from_ps_truncated>>},
    {ZYDIS_MNEMONIC_CVTPD2PI, &call<convert_mmx<Pi::pi_from_pd>>},
    {ZYDIS_MNEMONIC_CVTTPD2PI, &call<convert_mmx<Pi::pi_from_pd_truncated>>},
};

}  // namespace

std::span<const Row> simd_fp_rows() { return kRows; }

}  // namespace mock::cpu
