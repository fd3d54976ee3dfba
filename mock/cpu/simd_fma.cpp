// FMA, F16C, the conversions and comparisons of AVX that are no SSE operation on two lanes. On the host's own
// instructions, 128 bits at a time; on a host without AVX, FMA and F16C they are #UD before they get here
// (cpuid_table.cpp).
#include <immintrin.h>

#include "mock/cpu/simd.hpp"
#include "mock/cpu/simd_imm.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx,fma,f16c")
#endif

namespace mock::cpu {
namespace {

// --- FMA: d = f(d, a, b); the instruction itself, so that NaNs come out as the operand order says.
// X(mnemonic, bytes of a memory operand, is scalar)
#define FMA_OPERATIONS(X)      \
  X(VFMADD132PS, 16, false)    \
  X(VFMADD132PD, 16, false)    \
  X(VFMADD132SS, 4, true)      \
  X(VFMADD132SD, 8, true)      \
  X(VFMADD213PS, 16, false)    \
  X(VFMADD213PD, 16, false)    \
  X(VFMADD213SS, 4, true)      \
  X(VFMADD213SD, 8, true)      \
  X(VFMADD231PS, 16, false)    \
  X(VFMADD231PD, 16, false)    \
  X(VFMADD231SS, 4, true)      \
  X(VFMADD231SD, 8, true)      \
  X(VFMSUB132PS, 16, false)    \
  X(VFMSUB132PD, 16, false)    \
  X(VFMSUB132SS, 4, true)      \
  X(VFMSUB132SD, 8, true)      \
  X(VFMSUB213PS, 16, false)    \
  X(VFMSUB213PD, 16, false)    \
  X(VFMSUB213SS, 4, true)      \
  X(VFMSUB213SD, 8, true)      \
  X(VFMSUB231PS, 16, false)    \
  X(VFMSUB231PD, 16, false)    \
  X(VFMSUB231SS, 4, true)      \
  X(VFMSUB231SD, 8, true)      \
  X(VFNMADD132PS, 16, false)   \
  X(VFNMADD132PD, 16, false)   \
  X(VFNMADD132SS, 4, true)     \
  X(VFNMADD132SD, 8, true)     \
  X(VFNMADD213PS, 16, false)   \
  X(VFNMADD213PD, 16, false)   \
  X(VFNMADD213SS, 4, true)     \
  X(VFNMADD213SD, 8, true)     \
  X(VFNMADD231PS, 16, false)   \
  X(VFNMADD231PD, 16, false)   \
  X(VFNMADD231SS, 4, true)     \
  X(VFNMADD231SD, 8, true)     \
  X(VFNMSUB132PS, 16, false)   \
  X(VFNMSUB132PD, 16, false)   \
  X(VFNMSUB132SS, 4, true)     \
  X(VFNMSUB132SD, 8, true)     \
  X(VFNMSUB213PS, 16, false)   \
  X(VFNMSUB213PD, 16, false)   \
  X(VFNMSUB213SS, 4, true)     \
  X(VFNMSUB213SD, 8, true)     \
  X(VFNMSUB231PS, 16, false)   \
  X(VFNMSUB231PD, 16, false)   \
  X(VFNMSUB231SS, 4, true)     \
  X(VFNMSUB231SD, 8, true)     \
  X(VFMADDSUB132PS, 16, false) \
  X(VFMADDSUB132PD, 16, false) \
  X(VFMADDSUB213PS, 16, false) \
  X(VFMADDSUB213PD, 16, false) \
  X(VFMADDSUB231PS, 16, false) \
  X(VFMADDSUB231PD, 16, false) \
  X(VFMSUBADD132PS, 16, false) \
  X(VFMSUBADD132PD, 16, false) \
  X(VFMSUBADD213PS, 16, false) \
  X(VFMSUBADD213PD, 16, false) \
  X(VFMSUBADD231PS, 16, false) \
  X(VFMSUBADD231PD, 16, false)

#define DEFINE(name, bytes, scalar)                                                   \
  struct name {                                                                       \
    static constexpr unsigned kBytes = bytes;                                         \
    static constexpr bool kScalar = scalar;                                           \
    static V run(V d, V a, V b) {                                                     \
      asm volatile(#name " %[b], %[a], %[d]" : [d] "+x"(d) : [a] "x"(a), [b] "x"(b)); \
      return d;                                                                       \
    }                                                                                 \
  };
FMA_OPERATIONS(DEFINE)
#undef DEFINE

template <class Operation, bool is_256>
bool fma(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  alignas(16) std::array<u64, 4> b{};
  if (op.is_memory(2)) {
    if (!read_ram(core, op, b.data(), is_256 ? 32 : Operation::kBytes)) return false;
  } else {
    b = core.s.fpu.ymm[op.slot[2]].q;
  }
  const V low = _mm_load_si128(reinterpret_cast<const V*>(b.data()));
  const V high = _mm_load_si128(reinterpret_cast<const V*>(b.data() + 2));
  const V d = get_xmm(&core, op.slot[0]), a = get_xmm(&core, op.slot[1]);
  const V d_high = get_high(&core, op.slot[0]), a_high = get_high(&core, op.slot[1]);
  FpScope scope(core);
  const V result = Operation::run(d, a, low);
  const V result_high = is_256 ? Operation::run(d_high, a_high, high) : _mm_setzero_si128();
  if (!merge_fp_flags(core, scope.leave())) return false;
  set_xmm(&core, op.slot[0], result);
  set_high(&core, op.slot[0], result_high);
  return true;
}

template <class Operation>
void select_fma(const Decoded& d, Op&, Selection& s) {
  if constexpr (Operation::kScalar) {
    s.handler = &call<fma<Operation, false>>;
  } else {
    s.handler = d.operand_bits(0) == 256 ? &call<fma<Operation, true>> : &call<fma<Operation, false>>;
  }
}

// --- Conversions that change the number of bytes. Twice the elements of `wide` give one register of `narrow`.
// Widening: 128 bits of source elements per half of the result. Narrowing: each half of the source gives 64 bits.
struct PsToPd {
  static V run(V v) { return as_int(_mm_cvtps_pd(as_ps(v))); }
};
struct DqToPd {
  static V run(V v) { return as_int(_mm_cvtepi32_pd(v)); }
};
struct PhToPs {
  static V run(V v) { return as_int(_mm_cvtph_ps(v)); }
};
struct PdToPs {
  static V run(V v) { return as_int(_mm_cvtpd_ps(as_pd(v))); }
};
struct PdToDq {
  static V run(V v) { return _mm_cvtpd_epi32(as_pd(v)); }
};
struct PdToDqTruncated {
  static V run(V v) { return _mm_cvttpd_epi32(as_pd(v)); }
};

bool load_source(Core& core, const Op& op, unsigned bytes, V& low, V& high) {
  alignas(16) std::array<u64, 4> data{};
  if (op.is_memory(1)) {
    if (!read_ram(core, op, data.data(), bytes)) return false;
  } else {
    data = core.s.fpu.ymm[op.slot[1]].q;
  }
  low = _mm_load_si128(reinterpret_cast<const V*>(data.data()));
  high = _mm_load_si128(reinterpret_cast<const V*>(data.data() + 2));
  return true;
}

template <class Conversion, bool is_256>
bool widen(Core& core, const Op& op) {
  V low, unused;
  if (!avx_ready(core) || !load_source(core, op, is_256 ? 16 : 8, low, unused)) return false;
  // The 128-bit form looks at the low 64 bits only: the rest must not raise flags.
  V high = _mm_srli_si128(low, 8);
  low = _mm_move_epi64(low);
  FpScope scope(core);
  pin(low);
  pin(high);
  V result = Conversion::run(low), result_high = is_256 ? Conversion::run(high) : _mm_setzero_si128();
  pin(result);
  pin(result_high);
  if (!merge_fp_flags(core, scope.leave())) return false;
  set_xmm(&core, op.slot[0], result);
  set_high(&core, op.slot[0], result_high);
  return true;
}

template <class Conversion, bool is_256>
bool narrow(Core& core, const Op& op) {
  V low, high;
  if (!avx_ready(core) || !load_source(core, op, is_256 ? 32 : 16, low, high)) return false;
  FpScope scope(core);
  pin(low);
  pin(high);
  V result = Conversion::run(low), result_high = is_256 ? Conversion::run(high) : _mm_setzero_si128();
  pin(result);
  pin(result_high);
  if (!merge_fp_flags(core, scope.leave())) return false;
  set_xmm(&core, op.slot[0], _mm_unpacklo_epi64(result, result_high));
  set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}

template <class Conversion>
void select_widen(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(0) == 256 ? &call<widen<Conversion, true>> : &call<widen<Conversion, false>>;
}
template <class Conversion>
void select_narrow(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(1) == 256 ? &call<narrow<Conversion, true>> : &call<narrow<Conversion, false>>;
}

// VCVTPS2PH: the rounding is an immediate; 128 bits give 64.
struct PsToPh {
  template <int i>
  static V run(V a, V) {
    return _mm_cvtps_ph(as_ps(a), i);
  }
};
template <bool is_256>
bool to_half(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  V low = get_xmm(&core, op.slot[1]), high = get_high(&core, op.slot[1]);
  const u8 imm = static_cast<u8>(op.imm);
  FpScope scope(core);
  pin(low);
  pin(high);
  V result = by_immediate<PsToPh, 8>(low, low, imm);
  V result_high = is_256 ? by_immediate<PsToPh, 8>(high, high, imm) : _mm_setzero_si128();
  pin(result);
  pin(result_high);
  const u32 flags = scope.leave();
  const V both = _mm_unpacklo_epi64(result, result_high);
  const u32 before = core.s.fpu.mxcsr;
  if (!merge_fp_flags(core, flags)) return false;
  if (op.is_memory(0)) {
    if (store_vector(core, op, is_256 ? 16 : 8, false, both)) return true;
    core.s.fpu.mxcsr = before;
    return false;
  }
  set_xmm(&core, op.slot[0], both);
  set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}
void select_to_half(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(1) == 256 ? &call<to_half<true>> : &call<to_half<false>>;
}

// --- VCMPxx with its 32 predicates
#define COMPARISON(name, bytes, expression)                                                               \
  struct name##_with {                                                                                    \
    template <int i>                                                                                      \
    static V run(V a, V b) {                                                                              \
      return expression;                                                                                  \
    }                                                                                                     \
  };                                                                                                      \
  MOCK_CPU_OPERATION(name, (by_immediate<name##_with, 32>(a, b, imm)), static constexpr Fp kFp = Fp::yes; \
                     static constexpr unsigned kBytes = bytes;)
COMPARISON(CMPPS, 16, as_int(_mm_cmp_ps(as_ps(a), as_ps(b), i)))
COMPARISON(CMPPD, 16, as_int(_mm_cmp_pd(as_pd(a), as_pd(b), i)))
COMPARISON(CMPSS, 4, as_int(_mm_cmp_ss(as_ps(a), as_ps(b), i)))
COMPARISON(CMPSD, 8, as_int(_mm_cmp_sd(as_pd(a), as_pd(b), i)))
#undef COMPARISON

constexpr Row kRows[] = {
#define ROW(name, ...) {ZYDIS_MNEMONIC_##name, nullptr, 0, select_fma<name>},
    FMA_OPERATIONS(ROW)
#undef ROW
        {ZYDIS_MNEMONIC_VCVTPS2PD, nullptr, 0, select_widen<PsToPd>},
    {ZYDIS_MNEMONIC_VCVTDQ2PD, nullptr, 0, select_widen<DqToPd>},
    {ZYDIS_MNEMONIC_VCVTPH2PS, nullptr, 0, select_widen<PhToPs>},
    {ZYDIS_MNEMONIC_VCVTPD2PS, nullptr, 0, select_narrow<PdToPs>},
    {ZYDIS_MNEMONIC_VCVTPD2DQ, nullptr, 0, select_narrow<PdToDq>},
    {ZYDIS_MNEMONIC_VCVTTPD2DQ, nullptr, 0, select_narrow<PdToDqTruncated>},
    {ZYDIS_MNEMONIC_VCVTPS2PH, nullptr, 0, select_to_half},
    {ZYDIS_MNEMONIC_VCMPPS, nullptr, 0, select_vex<CMPPS>},
    {ZYDIS_MNEMONIC_VCMPPD, nullptr, 0, select_vex<CMPPD>},
    {ZYDIS_MNEMONIC_VCMPSS, nullptr, 0, select_vex<CMPSS>},
    {ZYDIS_MNEMONIC_VCMPSD, nullptr, 0, select_vex<CMPSD>},
};

}  // namespace

std::span<const Row> simd_fma_rows() { return kRows; }

}  // namespace mock::cpu

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
