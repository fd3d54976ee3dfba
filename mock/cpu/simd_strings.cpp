// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SSE4.2, with VEX forms) on the host's own instructions, and SSE4A (AMD):
// EXTRQ, INSERTQ, MOVNTSS, MOVNTSD. SDM vol. 1 4.1, vol. 2; APM vol. 4.
#include <immintrin.h>

#include "mock/cpu/simd.hpp"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("sse4.2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("sse4.2")
#endif

namespace mock::cpu {
namespace {

// What a string comparison gives: an index in ECX or a mask in XMM0, and four flags.
struct Comparison {
  V mask;
  u32 index;
  u32 flags;
};

constexpr u32 flags_of(bool carry, bool zero, bool sign, bool overflow) {
  return (carry ? u32{CF} : 0) | (zero ? u32{ZF} : 0) | (sign ? u32{SF} : 0) | (overflow ? u32{OF} : 0);
}

enum class Kind : u8 { explicit_index, explicit_mask, implicit_index, implicit_mask };

#define FLAG_OUTPUTS "=@ccc"(carry), "=@ccz"(zero), "=@ccs"(sign), "=@cco"(overflow)

template <Kind kind, int i>
void compare(V a, V b, s64 length_a, s64 length_b, Comparison& out) {
  bool carry, zero, sign, overflow;
  u32 index = 0;
  register V mask asm("xmm0") = _mm_setzero_si128();
  if constexpr (kind == Kind::explicit_index) {
    asm("pcmpestriq %[i], %[b], %[a]"
        : "=c"(index), FLAG_OUTPUTS
        : [a] "x"(a), [b] "x"(b), "a"(length_a), "d"(length_b), [i] "i"(i));
  } else if constexpr (kind == Kind::implicit_index) {
    asm("pcmpistri %[i], %[b], %[a]" : "=c"(index), FLAG_OUTPUTS : [a] "x"(a), [b] "x"(b), [i] "i"(i));
  } else if constexpr (kind == Kind::explicit_mask) {
    asm("pcmpestrmq %[i], %[b], %[a]"
        : "=x"(mask), FLAG_OUTPUTS
        : [a] "x"(a), [b] "x"(b), "a"(length_a), "d"(length_b), [i] "i"(i));
  } else {
    asm("pcmpistrm %[i], %[b], %[a]" : "=x"(mask), FLAG_OUTPUTS : [a] "x"(a), [b] "x"(b), [i] "i"(i));
  }
  out = {mask, index, flags_of(carry, zero, sign, overflow)};
}

using Compare = void(V, V, s64, s64, Comparison&);

template <Kind kind>
struct Table {
  Compare* functions[128];

  template <std::size_t... i>
  constexpr explicit Table(std::index_sequence<i...>) : functions{&compare<kind, static_cast<int>(i)>...} {}
};

template <Kind kind, bool vex>
bool compare_strings(Core& core, const Op& op) {
  static constexpr Table<kind> kTable(std::make_index_sequence<128>{});
  if (!(vex ? avx_ready(core) : sse_ready(core))) return false;
  V b;
  if (op.is_memory(1)) {
    if (!load_vector(core, op, 16, false, b)) return false;
  } else {
    b = get_xmm(&core, op.slot[1]);
  }
  // The lengths are 64 bits wide with REX.W only.
  const bool wide = op.slot[2] == 1;
  const auto length = [&](Gpr r) { return wide ? static_cast<s64>(core.s.gpr[r]) : static_cast<s32>(core.s.gpr[r]); };
  Comparison result;
  kTable.functions[static_cast<u8>(op.imm) & 127](get_xmm(&core, op.slot[0]), b, length(RAX), length(RDX), result);
  if (kind == Kind::explicit_index || kind == Kind::implicit_index) {
    core.s.gpr[RCX] = result.index;
  } else {
    set_xmm(&core, 0, result.mask);
    if (vex) set_high(&core, 0, _mm_setzero_si128());
  }
  core.set_arith_flags(result.flags);
  return true;
}

template <Kind kind, bool vex>
void select_strings(const Decoded& d, Op& op, Selection& s) {
  op.slot[2] = vex ? d.instruction.raw.vex.W : d.instruction.raw.rex.W;
  s.handler = &call<compare_strings<kind, vex>>;
}

// --- SSE4A
u64 field_mask(unsigned length) { return length >= 64 ? ~u64{0} : (u64{1} << length) - 1; }

// Length 0 means 64 bits.
u64 extract_field(u64 value, unsigned length, unsigned index) {
  length = length & 63 ? length & 63 : 64;
  return value >> (index & 63) & field_mask(length);
}
u64 insert_field(u64 to, u64 from, unsigned length, unsigned index) {
  length = length & 63 ? length & 63 : 64;
  const u64 mask = field_mask(length) << (index & 63);
  return (to & ~mask) | (from << (index & 63) & mask);
}

// EXTRQ xmm, length, index; EXTRQ xmm, xmm (length in bits 5:0, index in 13:8 of the second operand).
template <bool immediate>
bool extrq(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  auto& registers = core.s.fpu.ymm;
  u64& to = registers[op.slot[0]].q[0];
  const u64 control = registers[op.slot[1]].q[0];
  to = immediate ? extract_field(to, static_cast<u8>(op.imm), static_cast<u8>(op.disp))
                 : extract_field(to, control & 0xff, control >> 8 & 0xff);
  registers[op.slot[0]].q[1] = 0;  // undefined by APM vol. 4; AMD processors clear it
  return true;
}
template <bool immediate>
bool insertq(Core& core, const Op& op) {
  if (!sse_ready(core)) return false;
  auto& registers = core.s.fpu.ymm;
  u64& to = registers[op.slot[0]].q[0];
  const auto& from = registers[op.slot[1]].q;
  to = immediate ? insert_field(to, from[0], static_cast<u8>(op.imm), static_cast<u8>(op.disp))
                 : insert_field(to, from[0], from[1] & 0xff, from[1] >> 8 & 0xff);
  registers[op.slot[0]].q[1] = 0;
  return true;
}
void select_extrq(const Decoded& d, Op&, Selection& s) {
  s.handler = d.is_immediate(1) ? &call<extrq<true>> : &call<extrq<false>>;
}
void select_insertq(const Decoded& d, Op&, Selection& s) {
  s.handler = d.instruction.operand_count_visible == 4 ? &call<insertq<true>> : &call<insertq<false>>;
}

template <unsigned bytes>
bool move_nontemporal(Core& core, const Op& op) {
  return sse_ready(core) && store_vector_move(core, op, bytes, false, get_xmm(&core, op.slot[1]));
}

constexpr Row kRows[] = {
#define ROW(name, kind)                                                     \
  {ZYDIS_MNEMONIC_##name, nullptr, 0, select_strings<Kind::kind, false>}, { \
    ZYDIS_MNEMONIC_V##name, nullptr, 0, select_strings<Kind::kind, true>    \
  }
    ROW(PCMPESTRI, explicit_index),
    ROW(PCMPESTRM, explicit_mask),
    ROW(PCMPISTRI, implicit_index),
    ROW(PCMPISTRM, implicit_mask),
#undef ROW
    {ZYDIS_MNEMONIC_EXTRQ, nullptr, 0, select_extrq},
    {ZYDIS_MNEMONIC_INSERTQ, nullptr, 0, select_insertq},
    {ZYDIS_MNEMONIC_MOVNTSS, &call<move_nontemporal<4>>},
    {ZYDIS_MNEMONIC_MOVNTSD, &call<move_nontemporal<8>>},
};

}  // namespace

std::span<const Row> simd_string_rows() { return kRows; }

}  // namespace mock::cpu

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
