// Moves of SSE and SSE2 and their VEX forms: whole registers, scalars, halves, masks, between general and vector
// registers.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

enum class Move : u8 { aligned, unaligned };

// --- Whole registers
template <Move kind>
bool move_slow(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  constexpr bool kAligned = kind == Move::aligned;
  if (op.is_memory(0)) return store_vector_move(core, op, 16, kAligned, get_xmm(&core, op.slot[1]));
  V value;
  if (op.is_memory(1)) {
    if (!load_vector_move(core, op, 16, kAligned, value)) return false;
  } else {
    value = get_xmm(&core, op.slot[1]);
  }
  set_xmm(&core, op.slot[0], value);
  return true;
}

template <Move kind>
void move_registers(Core* core, const Op* op, s64 budget) {
  if (!sse_allowed(core)) [[unlikely]]
    MOCK_CPU_TAIL(call<move_slow<kind>>);
  set_xmm(core, op->slot[0], get_xmm(core, op->slot[1]));
  MOCK_CPU_NEXT();
}

template <Move kind>
void move_load(Core* core, const Op* op, s64 budget) {
  const u8* const host = fast_operand<Ea::general, 16, false>(core, op);
  if (!host || !sse_allowed(core) || (kind == Move::aligned && (reinterpret_cast<u64>(host) & 15))) [[unlikely]]
    MOCK_CPU_TAIL(call<move_slow<kind>>);
  set_xmm(core, op->slot[0], load_16(host));
  MOCK_CPU_NEXT();
}

template <Move kind>
void move_store(Core* core, const Op* op, s64 budget) {
  u8* const host = fast_operand<Ea::general, 16, true>(core, op);
  if (!host || !sse_allowed(core) || (kind == Move::aligned && (reinterpret_cast<u64>(host) & 15))) [[unlikely]]
    MOCK_CPU_TAIL(call<move_slow<kind>>);
  store_16(host, get_xmm(core, op->slot[1]));
  MOCK_CPU_NEXT();
}

template <Move kind>
void select_move(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.handler = d.is_memory(0) ? &move_store<kind> : d.is_memory(1) ? &move_load<kind> : &move_registers<kind>;
}

template <Move kind, bool is_256>
bool vex_move(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  constexpr unsigned kBytes = is_256 ? 32 : 16;
  u64 linear;
  alignas(32) std::array<u64, 4> data{};
  const unsigned reg = op.slot[op.is_memory(0) ? 1 : 0];
  if (!op.memory_operand()) {
    data = core.s.fpu.ymm[op.slot[1]].q;
    if (!is_256) data[2] = data[3] = 0;
    core.s.fpu.ymm[reg].q = data;
    return true;
  }
  const Access access = op.is_memory(0) ? Access::write : Access::read;
  if (!core.linear(op.segment(), core.effective_address(op), kBytes, access, linear)) return false;
  if (kind == Move::aligned && (linear & (kBytes - 1))) return core.raise(GP, 0);
  if (access == Access::write) return core.write_linear(linear, core.s.fpu.ymm[reg].q.data(), kBytes);
  if (!core.read_linear(linear, data.data(), kBytes)) return false;
  core.s.fpu.ymm[reg].q = data;
  return true;
}

template <Move kind>
void select_vex_move(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  const bool is_256 = d.operand_bits(0) == 256 || d.operand_bits(1) == 256;
  s.handler = is_256 ? &call<vex_move<kind, true>> : &call<vex_move<kind, false>>;
}

// --- MOVSS, MOVSD, MOVD, MOVQ, MOVQ2DQ, MOVDQ2Q
bool ready(Core& core, bool vex) { return vex ? avx_ready(core) : sse_ready(core); }

void set_low(Core& core, unsigned reg, u64 value, unsigned bytes) {
  core.s.fpu.ymm[reg].q[0] = bytes == 8 ? value : (core.s.fpu.ymm[reg].q[0] & ~u64{0xffffffff}) | (value & 0xffffffff);
}

// MOVSS/MOVSD. Registers: the rest of the destination stays (VEX: comes from operand 1). From memory: zeros.
template <unsigned bytes, bool vex>
bool move_scalar(Core& core, const Op& op) {
  if (!ready(core, vex)) return false;
  auto& registers = core.s.fpu.ymm;
  if (op.is_memory(0)) {
    return store_vector_move(core, op, bytes, false, get_xmm(&core, op.slot[1]));
  }
  if (op.is_memory(1)) {
    V value;
    if (!load_vector_move(core, op, bytes, false, value)) return false;
    set_xmm(&core, op.slot[0], value);
  } else if (vex) {
    const u64 low = registers[op.slot[2]].q[0];
    set_xmm(&core, op.slot[0], get_xmm(&core, op.slot[1]));
    set_low(core, op.slot[0], low, bytes);
  } else {
    set_low(core, op.slot[0], registers[op.slot[1]].q[0], bytes);
  }
  if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}

template <unsigned bytes>
void scalar_load(Core* core, const Op* op, s64 budget) {
  const u8* const host = fast_operand<Ea::general, bytes, false>(core, op);
  if (!host || !sse_allowed(core)) [[unlikely]]
    MOCK_CPU_TAIL((call<move_scalar<bytes, false>>));
  set_xmm(core, op->slot[0], load_vector<bytes>(host));
  MOCK_CPU_NEXT();
}

template <unsigned bytes>
void scalar_store(Core* core, const Op* op, s64 budget) {
  u8* const host = fast_operand<Ea::general, bytes, true>(core, op);
  if (!host || !sse_allowed(core)) [[unlikely]]
    MOCK_CPU_TAIL((call<move_scalar<bytes, false>>));
  copy_to_guest(host, &core->s.fpu.ymm[op->slot[1]].q[0], bytes);
  MOCK_CPU_NEXT();
}

template <unsigned bytes>
void select_scalar(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.handler = d.is_memory(0)   ? &scalar_store<bytes>
              : d.is_memory(1) ? &scalar_load<bytes>
                               : &call<move_scalar<bytes, false>>;
}

ZydisRegisterClass class_of(const Decoded& d, unsigned operand) {
  return d.is_register(operand) ? ZydisRegisterGetClass(d.operands[operand].reg.value) : ZYDIS_REGCLASS_INVALID;
}

// MOVSD is also the string instruction.
void select_movsd(const Decoded& d, Op& op, Selection& s) {
  if (class_of(d, 0) == ZYDIS_REGCLASS_XMM || class_of(d, 1) == ZYDIS_REGCLASS_XMM) return select_scalar<8>(d, op, s);
  for (const Row& row : string_rows()) {
    if (row.mnemonic == ZYDIS_MNEMONIC_MOVSD) s.handler = row.handler;
  }
  op.prefixes |= 16;  // ends its block, as all string instructions
}

enum class File : u8 { general, mmx, xmm };

template <unsigned bytes, File to, File from, bool vex>
bool move_between(Core& core, const Op& op) {
  constexpr bool kMmxOnly = to != File::xmm && from != File::xmm;
  if (kMmxOnly ? !mmx_ready(core) : !ready(core, vex)) return false;
  if ((to == File::mmx || from == File::mmx) && !kMmxOnly && !mmx_ready(core)) return false;
  u64 value = 0;
  if (op.is_memory(1)) {
    V loaded;
    if (!load_vector_move(core, op, bytes, false, loaded)) return false;
    value = static_cast<u64>(_mm_cvtsi128_si64(loaded));
  } else if (from == File::general) {
    value = core.register_value(op.slot[1], bytes);
  } else {
    value = from == File::mmx ? core.s.fpu.st[op.slot[1]][0] : core.s.fpu.ymm[op.slot[1]].q[0];
  }
  if (bytes == 4) value = static_cast<u32>(value);
  if (op.is_memory(0)) {
    if (!store_vector_move(core, op, bytes, false, _mm_cvtsi64_si128(static_cast<s64>(value)))) return false;
  } else if (to == File::general) {
    core.set_register(op.slot[0], bytes, value);
  } else if (to == File::mmx) {
    set_mmx(&core, op.slot[0], _mm_cvtsi64_si128(static_cast<s64>(value)));
  } else {
    set_xmm(&core, op.slot[0], _mm_cvtsi64_si128(static_cast<s64>(value)));
    if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  }
  if (from == File::mmx) touch_mmx(&core);
  return true;
}

// MOVD, MOVQ by the classes of both operands; memory counts as a general register.
template <unsigned bytes, bool vex>
void select_between(const Decoded& d, Op&, Selection& s) {
  const auto to = class_of(d, 0), from = class_of(d, 1);
  using enum File;
  s.reads_flags = false;
  if (to == ZYDIS_REGCLASS_XMM) {
    s.handler = from == ZYDIS_REGCLASS_XMM ? &call<move_between<bytes, xmm, xmm, vex>>
                                           : &call<move_between<bytes, xmm, general, vex>>;
  } else if (to == ZYDIS_REGCLASS_MMX) {
    s.handler = from == ZYDIS_REGCLASS_MMX ? &call<move_between<bytes, mmx, mmx, vex>>
                                           : &call<move_between<bytes, mmx, general, vex>>;
  } else {
    s.handler = from == ZYDIS_REGCLASS_XMM ? &call<move_between<bytes, general, xmm, vex>>
                                           : &call<move_between<bytes, general, mmx, vex>>;
  }
}

// --- Halves: MOVLPS/MOVLPD, MOVHPS/MOVHPD, MOVHLPS, MOVLHPS
template <unsigned to, bool vex>
bool load_half(Core& core, const Op& op) {  // VEX: the other half comes from operand 1
  if (!ready(core, vex)) return false;
  auto& registers = core.s.fpu.ymm;
  if (op.is_memory(0)) {
    return store_vector_move(core, op, 8, false, _mm_cvtsi64_si128(static_cast<s64>(registers[op.slot[1]].q[to])));
  }
  V value;
  if (!load_vector_move(core, op, 8, false, value)) return false;
  if (vex) {
    set_xmm(&core, op.slot[0], get_xmm(&core, op.slot[1]));
    set_high(&core, op.slot[0], _mm_setzero_si128());
  }
  registers[op.slot[0]].q[to] = static_cast<u64>(_mm_cvtsi128_si64(value));
  return true;
}

MOCK_CPU_OPERATION(MOVHLPS, _mm_unpackhi_epi64(b, a))
MOCK_CPU_OPERATION(MOVLHPS, _mm_unpacklo_epi64(a, b))

// --- Masks
template <int (*mask)(V), bool vex>
bool move_mask(Core& core, const Op& op) {
  if (!ready(core, vex)) return false;
  core.set_register(op.slot[0], 4, static_cast<u32>(mask(get_xmm(&core, op.slot[1]))));
  return true;
}
template <int (*mask)(V), unsigned bits>
bool move_mask_256(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  const u32 low = static_cast<u32>(mask(get_xmm(&core, op.slot[1])));
  const u32 high = static_cast<u32>(mask(get_high(&core, op.slot[1])));
  core.set_register(op.slot[0], 4, low | high << bits);
  return true;
}
int mask_bytes(V v) { return _mm_movemask_epi8(v); }
int mask_singles(V v) { return _mm_movemask_ps(as_ps(v)); }
int mask_doubles(V v) { return _mm_movemask_pd(as_pd(v)); }

bool mask_mmx(Core& core, const Op& op) {
  if (!mmx_ready(core)) return false;
  core.set_register(op.slot[0], 4, static_cast<u32>(_mm_movemask_epi8(get_mmx(&core, op.slot[1]))) & 0xff);
  touch_mmx(&core);
  return true;
}

void select_pmovmskb(const Decoded& d, Op&, Selection& s) {
  s.handler = class_of(d, 1) == ZYDIS_REGCLASS_MMX ? &call<mask_mmx> : &call<move_mask<mask_bytes, false>>;
}
template <int (*mask)(V), unsigned bits>
void select_vex_mask(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(1) == 256 ? &call<move_mask_256<mask, bits>> : &call<move_mask<mask, true>>;
}

// MASKMOVDQU, MASKMOVQ: bytes whose mask has bit 7 go to DS:(R)DI.
template <unsigned bytes, File file, bool vex>
bool masked_store(Core& core, const Op& op) {
  if (file == File::mmx ? !mmx_ready(core) : !ready(core, vex)) return false;
  const V value = file == File::mmx ? get_mmx(&core, op.slot[0]) : get_xmm(&core, op.slot[0]);
  const V mask = file == File::mmx ? get_mmx(&core, op.slot[1]) : get_xmm(&core, op.slot[1]);
  const unsigned bits = static_cast<unsigned>(_mm_movemask_epi8(mask));
  alignas(16) std::array<u8, 16> data;
  _mm_store_si128(reinterpret_cast<V*>(data.data()), value);
  const u64 offset = core.s.gpr[RDI] & kAddressMask[__builtin_ctz(op.address_bytes())];
  for (unsigned i = 0; i < bytes; ++i) {
    u64 linear;
    if (!(bits >> i & 1)) continue;
    if (!core.linear(op.segment(), offset + i, 1, Access::write, linear) || !core.write_linear(linear, &data[i], 1))
      return false;
  }
  if (file == File::mmx) touch_mmx(&core);
  return true;
}

bool move_nontemporal_mmx(Core& core, const Op& op) {
  if (!mmx_ready(core) || !store_vector_move(core, op, 8, false, get_mmx(&core, op.slot[1]))) return false;
  touch_mmx(&core);
  return true;
}

constexpr Row kRows[] = {
#define ALIGNED(name)                                                  \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_move<Move::aligned>}, {   \
    ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex_move<Move::aligned> \
  }
#define UNALIGNED(name)                                                  \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_move<Move::unaligned>}, {   \
    ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex_move<Move::unaligned> \
  }
    ALIGNED(MOVAPS),
    ALIGNED(MOVAPD),
    ALIGNED(MOVDQA),
    ALIGNED(MOVNTPS),
    ALIGNED(MOVNTPD),
    ALIGNED(MOVNTDQ),
    ALIGNED(MOVNTDQA),
    UNALIGNED(MOVUPS),
    UNALIGNED(MOVUPD),
    UNALIGNED(MOVDQU),
    UNALIGNED(LDDQU),
    {ZYDIS_MNEMONIC_MOVSS, nullptr, 0, select_scalar<4>},
    {ZYDIS_MNEMONIC_MOVSD, nullptr, 0, select_movsd},
    {ZYDIS_MNEMONIC_VMOVSS, &call<move_scalar<4, true>>},
    {ZYDIS_MNEMONIC_VMOVSD, &call<move_scalar<8, true>>},
    {ZYDIS_MNEMONIC_MOVD, nullptr, 0, select_between<4, false>},
    {ZYDIS_MNEMONIC_MOVQ, nullptr, 0, select_between<8, false>},
    {ZYDIS_MNEMONIC_VMOVD, nullptr, 0, select_between<4, true>},
    {ZYDIS_MNEMONIC_VMOVQ, nullptr, 0, select_between<8, true>},
    {ZYDIS_MNEMONIC_MOVQ2DQ, &call<move_between<8, File::xmm, File::mmx, false>>},
    {ZYDIS_MNEMONIC_MOVDQ2Q, &call<move_between<8, File::mmx, File::xmm, false>>},
    {ZYDIS_MNEMONIC_MOVLPS, &call<load_half<0, false>>},
    {ZYDIS_MNEMONIC_MOVLPD, &call<load_half<0, false>>},
    {ZYDIS_MNEMONIC_MOVHPS, &call<load_half<1, false>>},
    {ZYDIS_MNEMONIC_MOVHPD, &call<load_half<1, false>>},
    {ZYDIS_MNEMONIC_VMOVLPS, &call<load_half<0, true>>},
    {ZYDIS_MNEMONIC_VMOVLPD, &call<load_half<0, true>>},
    {ZYDIS_MNEMONIC_VMOVHPS, &call<load_half<1, true>>},
    {ZYDIS_MNEMONIC_VMOVHPD, &call<load_half<1, true>>},
    {ZYDIS_MNEMONIC_MOVHLPS, nullptr, 0, select_sse<MOVHLPS>},
    {ZYDIS_MNEMONIC_MOVLHPS, nullptr, 0, select_sse<MOVLHPS>},
    {ZYDIS_MNEMONIC_VMOVHLPS, nullptr, 0, select_vex<MOVHLPS>},
    {ZYDIS_MNEMONIC_VMOVLHPS, nullptr, 0, select_vex<MOVLHPS>},
    {ZYDIS_MNEMONIC_PMOVMSKB, nullptr, 0, select_pmovmskb},
    {ZYDIS_MNEMONIC_MOVMSKPS, &call<move_mask<mask_singles, false>>},
    {ZYDIS_MNEMONIC_MOVMSKPD, &call<move_mask<mask_doubles, false>>},
    {ZYDIS_MNEMONIC_VPMOVMSKB, nullptr, 0, select_vex_mask<mask_bytes, 16>},
    {ZYDIS_MNEMONIC_VMOVMSKPS, nullptr, 0, select_vex_mask<mask_singles, 4>},
    {ZYDIS_MNEMONIC_VMOVMSKPD, nullptr, 0, select_vex_mask<mask_doubles, 2>},
    {ZYDIS_MNEMONIC_MASKMOVDQU, &call<masked_store<16, File::xmm, false>>},
    {ZYDIS_MNEMONIC_VMASKMOVDQU, &call<masked_store<16, File::xmm, true>>},
    {ZYDIS_MNEMONIC_MASKMOVQ, &call<masked_store<8, File::mmx, false>>},
    {ZYDIS_MNEMONIC_MOVNTQ, &call<move_nontemporal_mmx>},
};

}  // namespace

std::span<const Row> simd_move_rows() { return kRows; }

}  // namespace mock::cpu
