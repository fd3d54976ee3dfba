// Shuffles, inserts and extracts of SSE and SSE2 with their VEX forms. Immediates are run-time values here, so elements
// are moved by index.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

template <class T>
struct Elements {
  alignas(16) T e[16 / sizeof(T)];

  explicit Elements(V v) { _mm_store_si128(reinterpret_cast<V*>(e), v); }
  V vector() const { return _mm_load_si128(reinterpret_cast<const V*>(e)); }
};

V shuffle_dwords(V v, u8 imm) {
  const Elements<u32> from(v);
  Elements<u32> to(v);
  for (unsigned i = 0; i < 4; ++i) to.e[i] = from.e[imm >> (i * 2) & 3];
  return to.vector();
}
V shuffle_words(V v, u8 imm, unsigned first) {
  const Elements<u16> from(v);
  Elements<u16> to(v);
  for (unsigned i = 0; i < 4; ++i) to.e[first + i] = from.e[first + (imm >> (i * 2) & 3)];
  return to.vector();
}
V shuffle_singles(V a, V b, u8 imm) {
  const Elements<u32> x(a), y(b);
  Elements<u32> to(a);
  to.e[0] = x.e[imm & 3];
  to.e[1] = x.e[imm >> 2 & 3];
  to.e[2] = y.e[imm >> 4 & 3];
  to.e[3] = y.e[imm >> 6 & 3];
  return to.vector();
}
V shuffle_doubles(V a, V b, u8 imm) {
  const Elements<u64> x(a), y(b);
  Elements<u64> to(a);
  to.e[0] = x.e[imm & 1];
  to.e[1] = y.e[imm >> 1 & 1];
  return to.vector();
}

#define UNARY static constexpr bool kUnary = true;
MOCK_CPU_OPERATION(PSHUFD, shuffle_dwords(b, imm), UNARY)
MOCK_CPU_OPERATION(PSHUFLW, shuffle_words(b, imm, 0), UNARY)
MOCK_CPU_OPERATION(PSHUFHW, shuffle_words(b, imm, 4), UNARY)
MOCK_CPU_OPERATION(
    PSHUFW, b, static constexpr Mmx kMmx = Mmx::lanes;
    static V eval_mmx(V, V b, u8 imm) { return shuffle_words(b, imm, 0); })
MOCK_CPU_OPERATION(SHUFPS, shuffle_singles(a, b, imm))
MOCK_CPU_OPERATION(
    SHUFPD, shuffle_doubles(a, b, imm), static constexpr u8 high_imm(u8 imm) { return imm >> 2; })

bool ready(Core& core, bool vex) { return vex ? avx_ready(core) : sse_ready(core); }
bool is_mmx(const Decoded& d, unsigned operand) {
  return d.is_register(operand) && ZydisRegisterGetClass(d.operands[operand].reg.value) == ZYDIS_REGCLASS_MMX;
}

template <bool mmx, bool vex>
bool extract_word(Core& core, const Op& op) {
  if (mmx ? !mmx_ready(core) : !ready(core, vex)) return false;
  const Elements<u16> from(mmx ? get_mmx(&core, op.slot[1]) : get_xmm(&core, op.slot[1]));
  const u16 value = from.e[static_cast<u8>(op.imm) & (mmx ? 3 : 7)];
  if (op.is_memory(0)) return store_vector(core, op, 2, false, _mm_cvtsi32_si128(value));
  core.set_register(op.slot[0], 4, value);
  if (mmx) touch_mmx(&core);
  return true;
}

// VEX: the other words come from operand 1.
template <bool mmx, bool vex>
bool insert_word(Core& core, const Op& op) {
  constexpr unsigned kSource = vex ? 2 : 1;
  if (mmx ? !mmx_ready(core) : !ready(core, vex)) return false;
  V value;
  if (op.is_memory(kSource)) {
    if (!load_vector(core, op, 2, false, value)) return false;
  } else {
    value = _mm_cvtsi32_si128(static_cast<int>(core.register_value(op.slot[kSource], 4)));
  }
  Elements<u16> to(mmx ? get_mmx(&core, op.slot[0]) : get_xmm(&core, op.slot[vex ? 1 : 0]));
  to.e[static_cast<u8>(op.imm) & (mmx ? 3 : 7)] = static_cast<u16>(_mm_cvtsi128_si32(value));
  if (mmx) {
    set_mmx(&core, op.slot[0], to.vector());
  } else {
    set_xmm(&core, op.slot[0], to.vector());
    if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  }
  return true;
}

// PINSRB/D/Q, PEXTRB/D/Q, EXTRACTPS. VEX: the other elements come from operand 1.
template <class T, bool vex>
bool insert_element(Core& core, const Op& op) {
  constexpr unsigned kSource = vex ? 2 : 1;
  if (!ready(core, vex)) return false;
  V value;
  if (op.is_memory(kSource)) {
    if (!load_vector(core, op, sizeof(T), false, value)) return false;
  } else {
    value = _mm_cvtsi64_si128(static_cast<s64>(core.register_value(op.slot[kSource], 8)));
  }
  Elements<T> to(get_xmm(&core, op.slot[vex ? 1 : 0]));
  to.e[static_cast<u8>(op.imm) % (16 / sizeof(T))] = static_cast<T>(_mm_cvtsi128_si64(value));
  set_xmm(&core, op.slot[0], to.vector());
  if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}

template <class T, bool vex>
bool extract_element(Core& core, const Op& op) {
  if (!ready(core, vex)) return false;
  const Elements<T> from(get_xmm(&core, op.slot[1]));
  const u64 value = from.e[static_cast<u8>(op.imm) % (16 / sizeof(T))];
  if (op.is_memory(0)) return store_vector(core, op, sizeof(T), false, _mm_cvtsi64_si128(static_cast<s64>(value)));
  core.set_register(op.slot[0], 8, value);
  return true;
}

// INSERTPS: imm 7:6 source element (0 in memory), 5:4 destination, 3:0 elements to clear.
template <bool vex>
bool insert_single(Core& core, const Op& op) {
  constexpr unsigned kSource = vex ? 2 : 1;
  if (!ready(core, vex)) return false;
  const u8 imm = static_cast<u8>(op.imm);
  V source;
  if (op.is_memory(kSource)) {
    if (!load_vector(core, op, 4, false, source)) return false;
  } else {
    source = get_xmm(&core, op.slot[kSource]);
  }
  const Elements<u32> from(source);
  Elements<u32> to(get_xmm(&core, op.slot[vex ? 1 : 0]));
  to.e[imm >> 4 & 3] = from.e[op.is_memory(kSource) ? 0 : imm >> 6];
  for (unsigned i = 0; i < 4; ++i) {
    if (imm >> i & 1) to.e[i] = 0;
  }
  set_xmm(&core, op.slot[0], to.vector());
  if (vex) set_high(&core, op.slot[0], _mm_setzero_si128());
  return true;
}

void select_extract(const Decoded& d, Op&, Selection& s) {
  s.handler = is_mmx(d, 1) ? &call<extract_word<true, false>> : &call<extract_word<false, false>>;
}
void select_insert(const Decoded& d, Op&, Selection& s) {
  s.handler = is_mmx(d, 0) ? &call<insert_word<true, false>> : &call<insert_word<false, false>>;
}

constexpr Row kRows[] = {
#define ROW(name) \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_sse<name>}, { ZYDIS_MNEMONIC_V##name, nullptr, 0, select_vex<name> }
    ROW(PSHUFD),
    ROW(PSHUFLW),
    ROW(PSHUFHW),
    ROW(SHUFPS),
    ROW(SHUFPD),
    {ZYDIS_MNEMONIC_PSHUFW, nullptr, 0, select_sse<PSHUFW>},
    {ZYDIS_MNEMONIC_PEXTRW, nullptr, 0, select_extract},
    {ZYDIS_MNEMONIC_VPEXTRW, &call<extract_word<false, true>>},
    {ZYDIS_MNEMONIC_PINSRW, nullptr, 0, select_insert},
#define ELEMENT(name, f, T) \
  {ZYDIS_MNEMONIC_##name, &call<f<T, false>>}, { ZYDIS_MNEMONIC_V##name, &call<f<T, true>> }
    ELEMENT(PINSRB, insert_element, u8),
    ELEMENT(PINSRD, insert_element, u32),
    ELEMENT(PINSRQ, insert_element, u64),
    ELEMENT(PEXTRB, extract_element, u8),
    ELEMENT(PEXTRD, extract_element, u32),
    ELEMENT(PEXTRQ, extract_element, u64),
    ELEMENT(EXTRACTPS, extract_element, u32),
#undef ELEMENT
    {ZYDIS_MNEMONIC_INSERTPS, &call<insert_single<false>>},
    {ZYDIS_MNEMONIC_VINSERTPS, &call<insert_single<true>>},
    {ZYDIS_MNEMONIC_VPINSRW, &call<insert_word<false, true>>},
};

}  // namespace

std::span<const Row> simd_shuffle_rows() { return kRows; }

}  // namespace mock::cpu
