// How vector instructions are made: an operation is a struct with `static V eval(V a, V b, u8 imm)` on 128 bits, and
// templates turn it into the SSE form (two operands), the MMX form (64 bits) and the VEX forms (three operands, 128 or
// 256 bits as two lanes). Included by the vector families only.
#pragma once

#include <emmintrin.h>

#include "mock/cpu/engine.hpp"
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_rows.hpp"

namespace mock::cpu {

using V = __m128i;

inline V as_int(__m128 v) { return _mm_castps_si128(v); }
inline V as_int(__m128d v) { return _mm_castpd_si128(v); }
inline __m128 as_ps(V v) { return _mm_castsi128_ps(v); }
inline __m128d as_pd(V v) { return _mm_castsi128_pd(v); }

inline V get_xmm(const Core* core, unsigned reg) {
  return _mm_load_si128(reinterpret_cast<const V*>(&core->s.fpu.ymm[reg].q[0]));
}
inline V get_high(const Core* core, unsigned reg) {
  return _mm_loadu_si128(reinterpret_cast<const V*>(&core->s.fpu.ymm[reg].q[2]));
}
inline void set_xmm(Core* core, unsigned reg, V value) {
  _mm_store_si128(reinterpret_cast<V*>(&core->s.fpu.ymm[reg].q[0]), value);
}
inline void set_high(Core* core, unsigned reg, V value) {
  _mm_storeu_si128(reinterpret_cast<V*>(&core->s.fpu.ymm[reg].q[2]), value);
}

// MMX registers are the significands of the x87 registers; writing one fills the exponent and marks all as valid, TOP =
// 0.
inline V get_mmx(const Core* core, unsigned reg) { return _mm_cvtsi64_si128(static_cast<s64>(core->s.fpu.st[reg][0])); }
inline void touch_mmx(Core* core) {
  core->s.fpu.ftw = 0xff;
  core->s.fpu.fsw &= static_cast<u16>(~0x3800);
}
inline void set_mmx(Core* core, unsigned reg, V value) {
  core->s.fpu.st[reg] = {static_cast<u64>(_mm_cvtsi128_si64(value)), 0xffff};
  touch_mmx(core);
}

// SSE instructions may run: CR0.EM, CR0.TS clear, CR4.OSFXSR set.
inline bool sse_allowed(const Core* core) { return !((core->s.cr0 & (CR0_EM | CR0_TS)) | (~core->s.cr4 & CR4_OSFXSR)); }

// Memory operands of 4, 8 or 16 bytes, zero-extended. Legacy SSE wants 16-byte operands aligned: #GP(0).
bool load_vector(Core& core, const Op& op, unsigned size, bool aligned, V& value);
bool store_vector(Core& core, const Op& op, unsigned size, bool aligned, V value);
// The same for MOVs, which KVM's emulator knows, so that devices work.
bool load_vector_move(Core& core, const Op& op, unsigned size, bool aligned, V& value);
bool store_vector_move(Core& core, const Op& op, unsigned size, bool aligned, V value);

// Runs `f` under the guest's MXCSR with all exceptions masked and merges the flags; #XM (or #UD) if one is unmasked
// there. DEVIATION: with underflow unmasked, an exact tiny result is not reported (only an inexact one).
struct FpScope {
  explicit FpScope(const Core& core) : host(__builtin_ia32_stmxcsr()) {
    __builtin_ia32_ldmxcsr((core.s.fpu.mxcsr & ~0x3fu) | 0x1f80);
  }
  u32 leave() const {
    const u32 flags = __builtin_ia32_stmxcsr() & 0x3f;
    __builtin_ia32_ldmxcsr(host);
    return flags;
  }
  u32 host;
};
bool merge_fp_flags(Core& core, u32 flags);

// Keeps the compiler from moving computation across the MXCSR changes.
inline void pin(V& v) { asm volatile("" : "+x"(v)); }

// What an operation needs from its surroundings.
enum class Fp : u8 { no, yes };

template <class Operation>
bool evaluate(Core& core, V a, V b, u8 imm, V& out) {
  if constexpr (Operation::kFp == Fp::no) {
    out = Operation::eval(a, b, imm);
    return true;
  } else {
    FpScope scope(core);
    pin(a);
    pin(b);
    V result = Operation::eval(a, b, imm);
    pin(result);
    if (!merge_fp_flags(core, scope.leave())) return false;
    out = result;
    return true;
  }
}

// Two lanes: the flags of both count before one of them may fault.
template <class Operation>
bool evaluate_both(Core& core, V a, V b, V a_high, V b_high, u8 imm, V& out, V& out_high) {
  if constexpr (Operation::kFp == Fp::no) {
    out = Operation::eval(a, b, imm);
    out_high = Operation::eval(a_high, b_high, Operation::high_imm(imm));
    return true;
  } else {
    FpScope scope(core);
    pin(a);
    pin(b);
    pin(a_high);
    pin(b_high);
    V result = Operation::eval(a, b, imm), result_high = Operation::eval(a_high, b_high, Operation::high_imm(imm));
    pin(result);
    pin(result_high);
    if (!merge_fp_flags(core, scope.leave())) return false;
    out = result;
    out_high = result_high;
    return true;
  }
}

// --- SSE: a = op(a, b)
template <class Operation>
bool sse_slow(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, Operation::kBytes, Operation::kBytes == 16, b)) return false;
  } else {
    b = get_xmm(&core, op.slot[1]);
  }
  V result;
  if (!evaluate<Operation>(core, get_xmm(&core, op.slot[0]), b, static_cast<u8>(op.imm), result)) return false;
  set_xmm(&core, op.slot[0], result);
  return true;
}

template <class Operation>
void sse_registers(Core* core, const Op* op, s64 budget) {
  if (!sse_allowed(core)) [[unlikely]]
    MOCK_CPU_TAIL(call<sse_slow<Operation>>);
  set_xmm(core, op->slot[0],
          Operation::eval(get_xmm(core, op->slot[0]), get_xmm(core, op->slot[1]), static_cast<u8>(op->imm)));
  MOCK_CPU_NEXT();
}

// The low bytes from guest memory, zeros above.
template <unsigned kBytes>
V load_vector(const u8* host) {
  if constexpr (kBytes == 16) {
    return load_16(host);
  } else {
    u64 low = 0;
    copy_from_guest(&low, host, kBytes);
    return _mm_cvtsi64_si128(static_cast<s64>(low));
  }
}

template <class Operation>
void sse_memory(Core* core, const Op* op, s64 budget) {
  const u8* const host = fast_operand<Ea::general, Operation::kBytes, false>(core, op);
  if (!host || !sse_allowed(core) || (Operation::kBytes == 16 && (reinterpret_cast<u64>(host) & 15))) [[unlikely]]
    MOCK_CPU_TAIL(call<sse_slow<Operation>>);
  const V b = load_vector<Operation::kBytes>(host);
  set_xmm(core, op->slot[0], Operation::eval(get_xmm(core, op->slot[0]), b, static_cast<u8>(op->imm)));
  MOCK_CPU_NEXT();
}

// Floating point without a call: anything out of the ordinary is done again by the slow function.
template <class Operation>
inline bool fp_fast(Core* core, const Op* op, V b) {
  FpScope scope(*core);
  V a = get_xmm(core, op->slot[0]);
  pin(a);
  pin(b);
  V result = Operation::eval(a, b, static_cast<u8>(op->imm));
  pin(result);
  const u32 flags = scope.leave();
  u32& mxcsr = core->s.fpu.mxcsr;
  if (flags & ~(mxcsr >> 7)) [[unlikely]]
    return false;
  mxcsr |= flags;
  set_xmm(core, op->slot[0], result);
  return true;
}

template <class Operation>
void sse_fp_registers(Core* core, const Op* op, s64 budget) {
  if (!sse_allowed(core) || !fp_fast<Operation>(core, op, get_xmm(core, op->slot[1]))) [[unlikely]]
    MOCK_CPU_TAIL(call<sse_slow<Operation>>);
  MOCK_CPU_NEXT();
}

template <class Operation>
void sse_fp_memory(Core* core, const Op* op, s64 budget) {
  const u8* const host = fast_operand<Ea::general, Operation::kBytes, false>(core, op);
  if (!host || !sse_allowed(core) || (Operation::kBytes == 16 && (reinterpret_cast<u64>(host) & 15))) [[unlikely]]
    MOCK_CPU_TAIL(call<sse_slow<Operation>>);
  const V b = load_vector<Operation::kBytes>(host);
  if (!fp_fast<Operation>(core, op, b)) [[unlikely]]
    MOCK_CPU_TAIL(call<sse_slow<Operation>>);
  MOCK_CPU_NEXT();
}

// --- MMX
enum class Mmx : u8 {
  none,
  lanes,  // the low 64 bits of the 128-bit operation
  pack,   // operands side by side, low 64 bits of the result (packs, horizontal adds)
  high,   // the high 64 bits of the 128-bit operation on the low halves (PUNPCKH as PUNPCKL)
};

template <class Operation>
bool mmx_call(Core& core, const Op& op) {
  if (!mmx_ready(core)) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, 8, false, b)) return false;
  } else {
    b = get_mmx(&core, op.slot[1]);
  }
  const V a = get_mmx(&core, op.slot[0]);
  set_mmx(&core, op.slot[0], Operation::eval_mmx(a, b, static_cast<u8>(op.imm)));
  return true;
}

// --- VEX: d = op(a, b); is_256: both lanes, else the upper half is cleared. kUnary operations have no a.
template <class Operation, bool is_256>
bool vex_call(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  constexpr unsigned kFirst = Operation::kUnary ? 0 : 1, kLast = kFirst + 1;
  V low, high = _mm_setzero_si128();
  if (op.is_memory(kLast)) {
    if constexpr (is_256) {
      alignas(16) std::array<u64, 4> both;
      if (!read_ram(core, op, both.data(), 32)) return false;
      low = _mm_load_si128(reinterpret_cast<const V*>(both.data()));
      high = _mm_load_si128(reinterpret_cast<const V*>(both.data() + 2));
    } else {
      if (!load_vector(core, op, Operation::kBytes, false, low)) return false;
    }
  } else {
    low = get_xmm(&core, op.slot[kLast]);
    if (is_256) high = get_high(&core, op.slot[kLast]);
  }
  const u8 imm = static_cast<u8>(op.imm);
  V result, result_high = _mm_setzero_si128();
  const V first = get_xmm(&core, op.slot[kFirst]), first_high = get_high(&core, op.slot[kFirst]);
  if constexpr (is_256) {
    if (!evaluate_both<Operation>(core, first, low, first_high, high, imm, result, result_high)) return false;
  } else {
    if (!evaluate<Operation>(core, first, low, imm, result)) return false;
  }
  set_xmm(&core, op.slot[0], result);
  set_high(&core, op.slot[0], result_high);
  return true;
}

// --- Selectors
template <class Operation>
void select_sse(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  if constexpr (Operation::kMmx != Mmx::none) {
    if (d.is_register(0) && ZydisRegisterGetClass(d.operands[0].reg.value) == ZYDIS_REGCLASS_MMX) {
      s.handler = &call<mmx_call<Operation>>;
      return;
    }
  }
  if constexpr (Operation::kFp == Fp::yes) {
    s.handler = d.is_memory(1) ? &sse_fp_memory<Operation> : &sse_fp_registers<Operation>;
  } else {
    s.handler = d.is_memory(1) ? &sse_memory<Operation> : &sse_registers<Operation>;
  }
}

template <class Operation>
void select_vex(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.handler = d.operand_bits(0) == 256 ? &call<vex_call<Operation, true>> : &call<vex_call<Operation, false>>;
}

// Common part of an operation; an operation may override any of these.
struct OperationBase {
  static constexpr Fp kFp = Fp::no;
  static constexpr unsigned kBytes = 16;
  static constexpr bool kUnary = false;
  static constexpr Mmx kMmx = Mmx::none;
  static constexpr u8 high_imm(u8 imm) { return imm; }  // the immediate of the upper lane
};

template <Mmx kind, V (*eval)(V, V, u8)>
V evaluate_mmx(V a, V b, u8 imm) {
  if constexpr (kind == Mmx::pack) {
    const V both = _mm_unpacklo_epi64(a, b);
    return eval(both, both, imm);
  } else if constexpr (kind == Mmx::high) {
    return _mm_srli_si128(eval(a, b, imm), 8);
  } else {
    return eval(a, b, imm);
  }
}

}  // namespace mock::cpu

// Defines the operation `name` with `expression` over a, b and imm.
#define MOCK_CPU_OPERATION(name, expression, ...)                                                             \
  struct name : OperationBase {                                                                               \
    static V eval([[maybe_unused]] V a, [[maybe_unused]] V b, [[maybe_unused]] u8 imm) { return expression; } \
    __VA_ARGS__                                                                                               \
  };
