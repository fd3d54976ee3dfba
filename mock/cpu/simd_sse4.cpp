// SSE3, SSSE3, SSE4.1, SSE4.2, AES, PCLMULQDQ and SHA on the host's own instructions, with their VEX forms. What a host
// lacks is #UD before it gets here (cpuid_table.cpp).
#include <immintrin.h>

#include "mock/cpu/simd.hpp"
#include "mock/cpu/simd_imm.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("ssse3,sse4.1,sse4.2,aes,pclmul,sha"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("ssse3,sse4.1,sse4.2,aes,pclmul,sha")
#endif

namespace mock::cpu {
namespace {

#define PS(f) as_int(f(as_ps(a), as_ps(b)))
#define PD(f) as_int(f(as_pd(a), as_pd(b)))

// X(mnemonic, MMX kind, expression)
#define INTEGER_OPERATIONS(X)                     \
  X(PHADDW, pack, _mm_hadd_epi16(a, b))           \
  X(PHADDD, pack, _mm_hadd_epi32(a, b))           \
  X(PHADDSW, pack, _mm_hadds_epi16(a, b))         \
  X(PHSUBW, pack, _mm_hsub_epi16(a, b))           \
  X(PHSUBD, pack, _mm_hsub_epi32(a, b))           \
  X(PHSUBSW, pack, _mm_hsubs_epi16(a, b))         \
  X(PMADDUBSW, lanes, _mm_maddubs_epi16(a, b))    \
  X(PMULHRSW, lanes, _mm_mulhrs_epi16(a, b))      \
  X(PSIGNB, lanes, _mm_sign_epi8(a, b))           \
  X(PSIGNW, lanes, _mm_sign_epi16(a, b))          \
  X(PSIGND, lanes, _mm_sign_epi32(a, b))          \
  X(PMULLD, none, _mm_mullo_epi32(a, b))          \
  X(PMULDQ, none, _mm_mul_epi32(a, b))            \
  X(PMINSB, none, _mm_min_epi8(a, b))             \
  X(PMINUW, none, _mm_min_epu16(a, b))            \
  X(PMINSD, none, _mm_min_epi32(a, b))            \
  X(PMINUD, none, _mm_min_epu32(a, b))            \
  X(PMAXSB, none, _mm_max_epi8(a, b))             \
  X(PMAXUW, none, _mm_max_epu16(a, b))            \
  X(PMAXSD, none, _mm_max_epi32(a, b))            \
  X(PMAXUD, none, _mm_max_epu32(a, b))            \
  X(PCMPEQQ, none, _mm_cmpeq_epi64(a, b))         \
  X(PCMPGTQ, none, _mm_cmpgt_epi64(a, b))         \
  X(PACKUSDW, none, _mm_packus_epi32(a, b))       \
  X(AESENC, none, _mm_aesenc_si128(a, b))         \
  X(AESENCLAST, none, _mm_aesenclast_si128(a, b)) \
  X(AESDEC, none, _mm_aesdec_si128(a, b))         \
  X(AESDECLAST, none, _mm_aesdeclast_si128(a, b))

#define DEFINE(name, mmx, expression)                         \
  MOCK_CPU_OPERATION(                                         \
      name, expression, static constexpr Mmx kMmx = Mmx::mmx; \
      static V eval_mmx(V a, V b, u8 imm) { return evaluate_mmx<Mmx::mmx, &eval>(a, b, imm); })
INTEGER_OPERATIONS(DEFINE)
#undef DEFINE
MOCK_CPU_OPERATION(
    PSHUFB, _mm_shuffle_epi8(a, b), static constexpr Mmx kMmx = Mmx::lanes; static V eval_mmx(V a, V b, u8) {
      return _mm_shuffle_epi8(a, _mm_and_si128(b, _mm_set1_epi8(static_cast<char>(0x87))));
    })

// One operand: X(mnemonic, bytes of a memory operand, MMX kind, expression)
#define UNARY_OPERATIONS(X)                                \
  X(PABSB, 16, lanes, _mm_abs_epi8(b))                     \
  X(PABSW, 16, lanes, _mm_abs_epi16(b))                    \
  X(PABSD, 16, lanes, _mm_abs_epi32(b))                    \
  X(MOVSLDUP, 16, none, as_int(_mm_moveldup_ps(as_ps(b)))) \
  X(MOVSHDUP, 16, none, as_int(_mm_movehdup_ps(as_ps(b)))) \
  X(MOVDDUP, 8, none, _mm_unpacklo_epi64(b, b))            \
  X(PHMINPOSUW, 16, none, _mm_minpos_epu16(b))             \
  X(AESIMC, 16, none, _mm_aesimc_si128(b))
#define DEFINE(name, bytes, mmx, expression)                                                           \
  MOCK_CPU_OPERATION(                                                                                  \
      name, expression, static constexpr bool kUnary = true; static constexpr unsigned kBytes = bytes; \
      static constexpr Mmx kMmx = Mmx::mmx;                                                            \
      static V eval_mmx(V a, V b, u8 imm) { return evaluate_mmx<Mmx::mmx, &eval>(a, b, imm); })
UNARY_OPERATIONS(DEFINE)
#undef DEFINE

// Widening moves: the 256-bit forms take 128 bits to 256 and are in simd_avx.cpp.
// clang-format off: its layout of so long a list does not settle
#define WIDENING_OPERATIONS(X)       \
  X(PMOVSXBW, 8, _mm_cvtepi8_epi16)  \
  X(PMOVSXBD, 4, _mm_cvtepi8_epi32)  \
  X(PMOVSXBQ, 2, _mm_cvtepi8_epi64)  \
  X(PMOVSXWD, 8, _mm_cvtepi16_epi32) \
  X(PMOVSXWQ, 4, _mm_cvtepi16_epi64) \
  X(PMOVSXDQ, 8, _mm_cvtepi32_epi64) \
  X(PMOVZXBW, 8, _mm_cvtepu8_epi16)  \
  X(PMOVZXBD, 4, _mm_cvtepu8_epi32)  \
  X(PMOVZXBQ, 2, _mm_cvtepu8_epi64)  \
  X(PMOVZXWD, 8, _mm_cvtepu16_epi32) \
  X(PMOVZXWQ, 4, _mm_cvtepu16_epi64) \
  X(PMOVZXDQ, 8, _mm_cvtepu32_epi64)
// clang-format on
#define DEFINE(name, bytes, f) \
  MOCK_CPU_OPERATION(name, f(b), static constexpr bool kUnary = true; static constexpr unsigned kBytes = bytes;)
WIDENING_OPERATIONS(DEFINE)
#undef DEFINE

// Floating point with exceptions.
#define FP_OPERATIONS(X)     \
  X(HADDPS, PS(_mm_hadd_ps)) \
  X(HADDPD, PD(_mm_hadd_pd)) \
  X(HSUBPS, PS(_mm_hsub_ps)) X(HSUBPD, PD(_mm_hsub_pd)) X(ADDSUBPS, PS(_mm_addsub_ps)) X(ADDSUBPD, PD(_mm_addsub_pd))
#define DEFINE(name, expression) MOCK_CPU_OPERATION(name, expression, static constexpr Fp kFp = Fp::yes;)
FP_OPERATIONS(DEFINE)
#undef DEFINE

// Immediates that the instruction encodes: X(mnemonic, number of distinct values, bytes, unary, fp, expression over a,
// b, i)
#define IMMEDIATE_OPERATIONS(X)                                              \
  X(PBLENDW, 256, 16, false, no, _mm_blend_epi16(a, b, i))                   \
  X(DPPS, 256, 16, false, yes, as_int(_mm_dp_ps(as_ps(a), as_ps(b), i)))     \
  X(DPPD, 256, 16, false, yes, as_int(_mm_dp_pd(as_pd(a), as_pd(b), i)))     \
  X(ROUNDPS, 16, 16, true, yes, as_int(_mm_round_ps(as_ps(b), i)))           \
  X(ROUNDPD, 16, 16, true, yes, as_int(_mm_round_pd(as_pd(b), i)))           \
  X(ROUNDSS, 16, 4, false, yes, as_int(_mm_round_ss(as_ps(a), as_ps(b), i))) \
  X(ROUNDSD, 16, 8, false, yes, as_int(_mm_round_sd(as_pd(a), as_pd(b), i))) \
  X(AESKEYGENASSIST, 256, 16, true, no, _mm_aeskeygenassist_si128(b, i))     \
  X(PCLMULQDQ, 32, 16, false, no, _mm_clmulepi64_si128(a, b, i))
#define DEFINE(name, values, bytes, unary, fp, expression)                                                       \
  struct name##_with {                                                                                           \
    template <int i>                                                                                             \
    static V run([[maybe_unused]] V a, V b) {                                                                    \
      return expression;                                                                                         \
    }                                                                                                            \
  };                                                                                                             \
  MOCK_CPU_OPERATION(name, (by_immediate<name##_with, values>(a, b, imm)), static constexpr bool kUnary = unary; \
                     static constexpr unsigned kBytes = bytes; static constexpr Fp kFp = Fp::fp;)
IMMEDIATE_OPERATIONS(DEFINE)
#undef DEFINE

struct MPSADBW_with {
  template <int i>
  static V run(V a, V b) {
    return _mm_mpsadbw_epu8(a, b, i);
  }
};
MOCK_CPU_OPERATION(
    MPSADBW, (by_immediate<MPSADBW_with, 8>(a, b, imm)), static constexpr u8 high_imm(u8 imm) { return imm >> 3; })

// Blends by 32 or 64 bits; the upper lane of a 256-bit blend has the next bits of the immediate.
V blend_singles(V a, V b, u8 imm) {
  const V mask = _mm_set_epi32(-(imm >> 3 & 1), -(imm >> 2 & 1), -(imm >> 1 & 1), -(imm & 1));
  return _mm_blendv_epi8(a, b, mask);
}
V blend_doubles(V a, V b, u8 imm) { return _mm_blendv_epi8(a, b, _mm_set_epi64x(-s64{imm >> 1 & 1}, -s64{imm & 1})); }
MOCK_CPU_OPERATION(
    BLENDPS, blend_singles(a, b, imm), static constexpr u8 high_imm(u8 imm) { return imm >> 4; })
MOCK_CPU_OPERATION(
    BLENDPD, blend_doubles(a, b, imm), static constexpr u8 high_imm(u8 imm) { return imm >> 2; })

// PALIGNR: bytes from b and then a, shifted right. MMX: 16 bytes instead of 32.
V align_right(V a, V b, u8 imm, unsigned width) {
  alignas(16) std::array<u8, 48> bytes{};
  _mm_storeu_si128(reinterpret_cast<V*>(bytes.data()), b);
  _mm_storeu_si128(reinterpret_cast<V*>(bytes.data() + width), a);
  if (width == 8) std::memset(bytes.data() + 16, 0, 32);
  return imm >= 2 * width ? _mm_setzero_si128() : _mm_loadu_si128(reinterpret_cast<const V*>(bytes.data() + imm));
}
MOCK_CPU_OPERATION(
    PALIGNR, align_right(a, b, imm, 16), static constexpr Mmx kMmx = Mmx::lanes;
    static V eval_mmx(V a, V b, u8 imm) { return align_right(a, b, imm, 8); })

// Variable blends: the mask is XMM0 (VEX: a fourth operand, see select_vex_blend).
template <class Mask>
bool blend_variable(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, 16, true, b)) return false;
  } else {
    b = get_xmm(&core, op.slot[1]);
  }
  set_xmm(&core, op.slot[0], _mm_blendv_epi8(get_xmm(&core, op.slot[0]), b, Mask::widen(get_xmm(&core, 0))));
  return true;
}
struct ByteMask {
  static V widen(V m) { return m; }
};
struct SingleMask {
  static V widen(V m) { return _mm_srai_epi32(m, 31); }
};
struct DoubleMask {
  static V widen(V m) { return _mm_shuffle_epi32(_mm_srai_epi32(m, 31), 0xf5); }
};

template <class Mask, bool is_256>
bool vex_blend_variable(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  alignas(16) std::array<u64, 4> b{};
  if (op.is_memory(2)) {
    if (!read_ram(core, op, b.data(), is_256 ? 32 : 16)) return false;
  } else {
    b = core.s.fpu.ymm[op.slot[2]].q;
  }
  const unsigned mask = static_cast<unsigned>(op.imm) & 15;
  const V low = _mm_load_si128(reinterpret_cast<const V*>(b.data()));
  const V high = _mm_load_si128(reinterpret_cast<const V*>(b.data() + 2));
  const V result = _mm_blendv_epi8(get_xmm(&core, op.slot[1]), low, Mask::widen(get_xmm(&core, mask)));
  const V result_high = _mm_blendv_epi8(get_high(&core, op.slot[1]), high, Mask::widen(get_high(&core, mask)));
  set_xmm(&core, op.slot[0], result);
  set_high(&core, op.slot[0], is_256 ? result_high : _mm_setzero_si128());
  return true;
}
template <class Mask>
void select_vex_blend(const Decoded& d, Op& op, Selection& s) {
  op.imm = ZydisRegisterGetId(d.operands[3].reg.value);
  s.handler = d.operand_bits(0) == 256 ? &call<vex_blend_variable<Mask, true>> : &call<vex_blend_variable<Mask, false>>;
}

// PTEST, VTESTPS, VTESTPD: ZF if a & b is zero, CF if ~a & b is.
template <bool vex, class Mask>
bool test_bits(Core& core, const Op& op) {
  if (!(vex ? avx_ready(core) : sse_ready(core))) return false;
  const bool is_256 = op.imm == 256;
  alignas(16) std::array<u64, 4> b{}, a = core.s.fpu.ymm[op.slot[0]].q;
  if (op.is_memory(1)) {
    if (vex) {
      if (!read_ram(core, op, b.data(), is_256 ? 32 : 16)) return false;
    } else {
      V loaded;
      if (!load_vector(core, op, 16, true, loaded)) return false;
      _mm_store_si128(reinterpret_cast<V*>(b.data()), loaded);
    }
  } else {
    b = core.s.fpu.ymm[op.slot[1]].q;
  }
  u64 both = 0, only_b = 0;
  for (unsigned i = 0; i < (is_256 ? 4u : 2u); ++i) {
    both |= a[i] & b[i] & Mask::kBits;
    only_b |= ~a[i] & b[i] & Mask::kBits;
  }
  core.set_arith_flags((both ? 0 : u32{ZF}) | (only_b ? 0 : u32{CF}));
  return true;
}
struct AllBits {
  static constexpr u64 kBits = ~u64{0};
};
struct SingleSigns {
  static constexpr u64 kBits = 0x8000000080000000;
};
struct DoubleSigns {
  static constexpr u64 kBits = u64{1} << 63;
};
template <bool vex, class Mask>
void select_test(const Decoded& d, Op& op, Selection& s) {
  op.imm = static_cast<s32>(d.operand_bits(0));
  s.handler = &call<test_bits<vex, Mask>>;
}

// SHA: two operands, SHA256RNDS2 with XMM0.
MOCK_CPU_OPERATION(SHA1NEXTE, _mm_sha1nexte_epu32(a, b))
MOCK_CPU_OPERATION(SHA1MSG1, _mm_sha1msg1_epu32(a, b))
MOCK_CPU_OPERATION(SHA1MSG2, _mm_sha1msg2_epu32(a, b))
MOCK_CPU_OPERATION(SHA256MSG1, _mm_sha256msg1_epu32(a, b))
MOCK_CPU_OPERATION(SHA256MSG2, _mm_sha256msg2_epu32(a, b))
struct SHA1RNDS4_with {
  template <int i>
  static V run(V a, V b) {
    return _mm_sha1rnds4_epu32(a, b, i);
  }
};
MOCK_CPU_OPERATION(SHA1RNDS4, (by_immediate<SHA1RNDS4_with, 4>(a, b, imm)))
bool sha256_rounds(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, 16, true, b)) return false;
  } else {
    b = get_xmm(&core, op.slot[1]);
  }
  set_xmm(&core, op.slot[0], _mm_sha256rnds2_epu32(get_xmm(&core, op.slot[0]), b, get_xmm(&core, 0)));
  return true;
}

// CRC32 (polynomial 11EDC6F41h) of 1, 2, 4 or 8 bytes.
bool crc32(Core& core, const Op& op) {
  const unsigned bytes = static_cast<unsigned>(op.imm) >> 8, result_bytes = static_cast<unsigned>(op.imm) & 0xff;
  u64 source;
  if (!core.read_operand(op, 1, bytes, source)) return false;
  const u32 start = static_cast<u32>(core.register_value(op.slot[0], 4));
  const u64 crc = bytes == 1   ? _mm_crc32_u8(start, static_cast<u8>(source))
                  : bytes == 2 ? _mm_crc32_u16(start, static_cast<u16>(source))
                  : bytes == 4 ? _mm_crc32_u32(start, static_cast<u32>(source))
                               : _mm_crc32_u64(start, source);
  core.set_register(op.slot[0], result_bytes, crc);
  return true;
}
void select_crc32(const Decoded& d, Op& op, Selection& s) {
  op.imm = static_cast<s32>(d.operand_bits(1) / 8 << 8 | d.operand_bits(0) / 8);
  s.handler = &call<crc32>;
}

constexpr Row kRows[] = {
#define SSE(name) \
  { ZYDIS_MNEMONIC_##name, nullptr, 0, select_sse<name> }
#define VEX(name) \
  { ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex<name> }
#define ROW(name, ...) SSE(name), VEX(name),
    UNARY_OPERATIONS(ROW) FP_OPERATIONS(ROW) IMMEDIATE_OPERATIONS(ROW) INTEGER_OPERATIONS(ROW) ROW(PSHUFB) ROW(MPSADBW)
        ROW(PALIGNR) ROW(BLENDPS) ROW(BLENDPD)
#undef ROW
#define ROW(name, ...) SSE(name),
            WIDENING_OPERATIONS(ROW)
#undef ROW
                SSE(AESENC),
    VEX(AESENC),
    SSE(AESENCLAST),
    VEX(AESENCLAST),
    SSE(AESDEC),
    VEX(AESDEC),
    SSE(AESDECLAST),
    VEX(AESDECLAST),
    SSE(AESIMC),
    VEX(AESIMC),
    SSE(AESKEYGENASSIST),
    VEX(AESKEYGENASSIST),
    SSE(PCLMULQDQ),
    VEX(PCLMULQDQ),
    SSE(SHA1NEXTE),
    SSE(SHA1MSG1),
    SSE(SHA1MSG2),
    SSE(SHA1RNDS4),
    SSE(SHA256MSG1),
    SSE(SHA256MSG2),
    {ZYDIS_MNEMONIC_SHA256RNDS2, &call<sha256_rounds>},
    {ZYDIS_MNEMONIC_PBLENDVB, &call<blend_variable<ByteMask>>},
    {ZYDIS_MNEMONIC_BLENDVPS, &call<blend_variable<SingleMask>>},
    {ZYDIS_MNEMONIC_BLENDVPD, &call<blend_variable<DoubleMask>>},
    {ZYDIS_MNEMONIC_VPBLENDVB, nullptr, 0, select_vex_blend<ByteMask>},
    {ZYDIS_MNEMONIC_VBLENDVPS, nullptr, 0, select_vex_blend<SingleMask>},
    {ZYDIS_MNEMONIC_VBLENDVPD, nullptr, 0, select_vex_blend<DoubleMask>},
    {ZYDIS_MNEMONIC_CRC32, nullptr, 0, select_crc32},
    {ZYDIS_MNEMONIC_PTEST, nullptr, 0, select_test<false, AllBits>},
    {ZYDIS_MNEMONIC_VPTEST, nullptr, 0, select_test<true, AllBits>},
    {ZYDIS_MNEMONIC_VTESTPS, nullptr, 0, select_test<true, SingleSigns>},
    {ZYDIS_MNEMONIC_VTESTPD, nullptr, 0, select_test<true, DoubleSigns>},
};

}  // namespace

std::span<const Row> simd_sse4_rows() { return kRows; }

}  // namespace mock::cpu

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
