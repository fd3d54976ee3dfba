// VEX instructions that are not an SSE operation on two lanes: broadcasts, permutations, inserts, extracts, variable
// shifts, widening moves, masked moves, gathers. Data movement only, so any host can do them.
#include "mock/cpu/simd.hpp"

namespace mock::cpu {
namespace {

// A whole register or operand, by elements of any size.
struct Wide {
  alignas(32) std::array<u8, 32> bytes{};

  template <class T>
  T get(unsigned i) const {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  }
  template <class T>
  void set(unsigned i, T value) {
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  }
};

Wide get_ymm(const Core& core, unsigned reg) { return std::bit_cast<Wide>(core.s.fpu.ymm[reg].q); }
void set_ymm(Core& core, unsigned reg, const Wide& value, bool is_256) {
  auto& q = core.s.fpu.ymm[reg].q;
  q = std::bit_cast<std::array<u64, 4>>(value);
  if (!is_256) q[2] = q[3] = 0;
}

// What an operation does: d = run(a, b, imm, bytes of the vector).
struct WideBase {
  static constexpr bool kUnary = false;  // no a
  static constexpr unsigned memory_bytes(unsigned vector_bytes) { return vector_bytes; }
};

template <class Operation, bool is_256>
bool wide_call(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  constexpr unsigned kBytes = is_256 ? 32 : 16;
  constexpr unsigned kLast = Operation::kUnary ? 1 : 2;
  Wide b;
  if (op.is_memory(kLast)) {
    if (!read_ram(core, op, b.bytes.data(), Operation::memory_bytes(kBytes))) return false;
  } else {
    b = get_ymm(core, op.slot[kLast]);
  }
  const Wide a = get_ymm(core, op.slot[Operation::kUnary ? 0 : 1]);
  set_ymm(core, op.slot[0], Operation::run(a, b, static_cast<u8>(op.imm), kBytes), is_256);
  return true;
}

template <class Operation>
void select_wide(const Decoded& d, Op&, Selection& s) {
  s.handler = d.operand_bits(0) == 256 ? &call<wide_call<Operation, true>> : &call<wide_call<Operation, false>>;
}

template <class T>
struct Broadcast : WideBase {
  static constexpr bool kUnary = true;
  static constexpr unsigned memory_bytes(unsigned) { return sizeof(T); }
  static Wide run(const Wide&, const Wide& b, u8, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / sizeof(T); ++i) out.set(i, b.get<T>(0));
    return out;
  }
};
struct Half {
  u64 q[2];
};

template <class To, class From>
struct Widen : WideBase {
  static constexpr bool kUnary = true;
  static constexpr unsigned memory_bytes(unsigned bytes) { return bytes / sizeof(To) * sizeof(From); }
  static Wide run(const Wide&, const Wide& b, u8, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / sizeof(To); ++i) out.set<To>(i, static_cast<To>(b.get<From>(i)));
    return out;
  }
};

// Count beyond the width: zero, arithmetic: sign.
template <class T, bool left>
struct ShiftEach : WideBase {
  static Wide run(const Wide& a, const Wide& b, u8, unsigned bytes) {
    using U = std::make_unsigned_t<T>;
    constexpr unsigned kBits = sizeof(T) * 8;
    Wide out;
    for (unsigned i = 0; i < bytes / sizeof(T); ++i) {
      const U count = b.get<U>(i);
      T value = a.get<T>(i);
      if (count >= kBits) {
        value = std::is_signed_v<T> && value < 0 ? static_cast<T>(-1) : 0;
      } else {
        value = static_cast<T>(left ? value << count : value >> count);
      }
      out.set(i, value);
    }
    return out;
  }
};

// Whole-register permutations (256 bits only).
struct PermuteSingles : WideBase {  // VPERMD, VPERMPS: a is the index
  static Wide run(const Wide& a, const Wide& b, u8, unsigned) {
    Wide out;
    for (unsigned i = 0; i < 8; ++i) out.set(i, b.get<u32>(a.get<u32>(i) & 7));
    return out;
  }
};
struct PermuteQuads : WideBase {  // VPERMQ, VPERMPD
  static constexpr bool kUnary = true;
  static Wide run(const Wide&, const Wide& b, u8 imm, unsigned) {
    Wide out;
    for (unsigned i = 0; i < 4; ++i) out.set(i, b.get<u64>(imm >> (i * 2) & 3));
    return out;
  }
};
struct PermuteHalves : WideBase {  // VPERM2F128, VPERM2I128
  static Wide run(const Wide& a, const Wide& b, u8 imm, unsigned) {
    Wide out;
    for (unsigned i = 0; i < 2; ++i, imm >>= 4) {
      if (!(imm & 8)) out.set(i, (imm & 2 ? b : a).get<Half>(imm & 1));
    }
    return out;
  }
};
struct InsertHalf : WideBase {  // VINSERTF128, VINSERTI128
  static constexpr unsigned memory_bytes(unsigned) { return 16; }
  static Wide run(const Wide& a, const Wide& b, u8 imm, unsigned) {
    Wide out = a;
    out.set(imm & 1, b.get<Half>(0));
    return out;
  }
};
struct BlendSingles : WideBase {  // VPBLENDD
  static Wide run(const Wide& a, const Wide& b, u8 imm, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / 4; ++i) out.set(i, (imm >> i & 1 ? b : a).get<u32>(i));
    return out;
  }
};

// VPERMILPS/PD inside lanes: by a control operand, or by an immediate.
struct PermuteInLaneSingles : WideBase {
  static Wide run(const Wide& a, const Wide& b, u8, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / 4; ++i) out.set(i, a.get<u32>((i & ~3u) + (b.get<u32>(i) & 3)));
    return out;
  }
};
struct PermuteInLaneDoubles : WideBase {
  static Wide run(const Wide& a, const Wide& b, u8, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / 8; ++i) out.set(i, a.get<u64>((i & ~1u) + (b.get<u64>(i) >> 1 & 1)));
    return out;
  }
};
struct PermuteInLaneSinglesImmediate : WideBase {
  static constexpr bool kUnary = true;
  static Wide run(const Wide&, const Wide& b, u8 imm, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / 4; ++i) out.set(i, b.get<u32>((i & ~3u) + (imm >> ((i & 3) * 2) & 3)));
    return out;
  }
};
struct PermuteInLaneDoublesImmediate : WideBase {
  static constexpr bool kUnary = true;
  static Wide run(const Wide&, const Wide& b, u8 imm, unsigned bytes) {
    Wide out;
    for (unsigned i = 0; i < bytes / 8; ++i) out.set(i, b.get<u64>((i & ~1u) + (imm >> i & 1)));
    return out;
  }
};
template <class ByControl, class ByImmediate>
void select_permute_in_lane(const Decoded& d, Op& op, Selection& s) {
  if (d.is_immediate(2)) return select_wide<ByImmediate>(d, op, s);
  select_wide<ByControl>(d, op, s);
}

bool extract_half(Core& core, const Op& op) {  // VEXTRACTF128, VEXTRACTI128
  if (!avx_ready(core)) return false;
  const Half half = get_ymm(core, op.slot[1]).get<Half>(op.imm & 1);
  if (op.is_memory(0)) return write_ram(core, op, &half, 16);
  Wide out;
  out.set(0, half);
  set_ymm(core, op.slot[0], out, false);
  return true;
}

// VMASKMOVPS/PD, VPMASKMOVD/Q: elements whose mask has the top bit; the others are neither read nor written.
template <class T>
bool masked_move(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  const bool is_store = op.is_memory(0), is_256 = op.imm == 256;
  const Wide mask = get_ymm(core, op.slot[1]), source = get_ymm(core, op.slot[2]);
  const u64 offset = core.effective_address(op);
  Wide out;
  for (unsigned i = 0; i < (is_256 ? 32 : 16) / sizeof(T); ++i) {
    if (!(mask.get<T>(i) >> (sizeof(T) * 8 - 1))) continue;
    u64 linear;
    T value = source.get<T>(i);
    if (!core.linear(op.segment(), offset + i * sizeof(T), sizeof(T), is_store ? Access::write : Access::read, linear))
      return false;
    if (!is_ram(core, linear, sizeof(T), is_store ? Access::write : Access::read)) return false;
    if (is_store ? !core.write_linear(linear, &value, sizeof(T)) : !core.read_linear(linear, &value, sizeof(T)))
      return false;
    out.set(i, value);
  }
  if (!is_store) set_ymm(core, op.slot[0], out, is_256);
  return true;
}
template <class T>
void select_masked(const Decoded& d, Op& op, Selection& s) {
  op.imm = static_cast<s32>(d.is_memory(0) ? d.operand_bits(1) : d.operand_bits(0));
  s.handler = &call<masked_move<T>>;
}

// Gathers. Elements are loaded from the lowest on; each one done clears its mask, so that a fault can resume.
template <class T, class Index>
bool gather(Core& core, const Op& op) {
  if (!avx_ready(core)) return false;
  const unsigned index_register = static_cast<unsigned>(op.imm) & 15;
  const bool is_256 = op.imm & 0x100;
  if (op.slot[0] == op.slot[2] || op.slot[0] == index_register || op.slot[2] == index_register) return core.raise(UD);
  const unsigned vector_bytes = is_256 ? 32 : 16;
  const unsigned count = vector_bytes / std::max(sizeof(T), sizeof(Index));
  Wide result = get_ymm(core, op.slot[0]), mask = get_ymm(core, op.slot[2]);
  const Wide index = get_ymm(core, index_register);
  bool ok = true;
  for (unsigned i = 0; i < count && ok; ++i) {
    if (mask.get<T>(i) >> (sizeof(T) * 8 - 1)) {
      const u64 sum = reg64(&core, op.base) + (static_cast<u64>(static_cast<s64>(index.get<Index>(i))) << op.scale()) +
                      static_cast<u64>(op.disp);
      u64 linear;
      T value;
      ok = core.linear(op.segment(), sum & kAddressMask[__builtin_ctz(op.address_bytes())], sizeof(T), Access::read,
                       linear) &&
           is_ram(core, linear, sizeof(T), Access::read) && core.read_linear(linear, &value, sizeof(T));
      if (!ok) break;
      result.set(i, value);
    }
    mask.set<T>(i, 0);
  }
  if (!ok) {
    set_ymm(core, op.slot[0], result, true);
    set_ymm(core, op.slot[2], mask, true);
    return false;
  }
  const bool keeps_256 = is_256 && sizeof(T) >= sizeof(Index);
  Wide narrow;
  for (unsigned i = 0; i < count; ++i) narrow.set(i, result.get<T>(i));
  set_ymm(core, op.slot[0], narrow, keeps_256 || count * sizeof(T) > 16);
  set_ymm(core, op.slot[2], Wide{}, true);
  return true;
}
template <class T, class Index>
void select_gather(const Decoded& d, Op& op, Selection& s) {
  const auto& mem = d.operands[1].mem;
  op.index = kNoRegister;
  const bool is_256 = d.operand_bits(0) == 256 || ZydisRegisterGetClass(mem.index) == ZYDIS_REGCLASS_YMM;
  op.imm = ZydisRegisterGetId(mem.index) | (is_256 ? 0x100 : 0);
  s.handler = &call<gather<T, Index>>;
}

template <bool all>
bool zero(Core& core, const Op&) {
  if (!avx_ready(core)) return false;
  const unsigned count = core.is_64bit() ? 16 : 8;
  for (unsigned i = 0; i < count; ++i) {
    if (all) set_xmm(&core, i, _mm_setzero_si128());
    set_high(&core, i, _mm_setzero_si128());
  }
  return true;
}

constexpr Row kRows[] = {
#define WIDE(name, ...) \
  { ZYDIS_MNEMONIC_##name, nullptr, 0, select_wide<__VA_ARGS__> }
    WIDE(VBROADCASTSS, Broadcast<u32>),
    WIDE(VBROADCASTSD, Broadcast<u64>),
    WIDE(VBROADCASTF128, Broadcast<Half>),
    WIDE(VBROADCASTI128, Broadcast<Half>),
    WIDE(VPBROADCASTB, Broadcast<u8>),
    WIDE(VPBROADCASTW, Broadcast<u16>),
    WIDE(VPBROADCASTD, Broadcast<u32>),
    WIDE(VPBROADCASTQ, Broadcast<u64>),
    WIDE(VPMOVSXBW, Widen<s16, s8>),
    WIDE(VPMOVSXBD, Widen<s32, s8>),
    WIDE(VPMOVSXBQ, Widen<s64, s8>),
    WIDE(VPMOVSXWD, Widen<s32, s16>),
    WIDE(VPMOVSXWQ, Widen<s64, s16>),
    WIDE(VPMOVSXDQ, Widen<s64, s32>),
    WIDE(VPMOVZXBW, Widen<u16, u8>),
    WIDE(VPMOVZXBD, Widen<u32, u8>),
    WIDE(VPMOVZXBQ, Widen<u64, u8>),
    WIDE(VPMOVZXWD, Widen<u32, u16>),
    WIDE(VPMOVZXWQ, Widen<u64, u16>),
    WIDE(VPMOVZXDQ, Widen<u64, u32>),
    WIDE(VPSLLVD, ShiftEach<u32, true>),
    WIDE(VPSLLVQ, ShiftEach<u64, true>),
    WIDE(VPSRLVD, ShiftEach<u32, false>),
    WIDE(VPSRLVQ, ShiftEach<u64, false>),
    WIDE(VPSRAVD, ShiftEach<s32, false>),
    WIDE(VPERMD, PermuteSingles),
    WIDE(VPERMPS, PermuteSingles),
    WIDE(VPERMQ, PermuteQuads),
    WIDE(VPERMPD, PermuteQuads),
    WIDE(VPERM2F128, PermuteHalves),
    WIDE(VPERM2I128, PermuteHalves),
    WIDE(VINSERTF128, InsertHalf),
    WIDE(VINSERTI128, InsertHalf),
    WIDE(VPBLENDD, BlendSingles),
#undef WIDE
    {ZYDIS_MNEMONIC_VPERMILPS, nullptr, 0, select_permute_in_lane<PermuteInLaneSingles, PermuteInLaneSinglesImmediate>},
    {ZYDIS_MNEMONIC_VPERMILPD, nullptr, 0, select_permute_in_lane<PermuteInLaneDoubles, PermuteInLaneDoublesImmediate>},
    {ZYDIS_MNEMONIC_VEXTRACTF128, &call<extract_half>},
    {ZYDIS_MNEMONIC_VEXTRACTI128, &call<extract_half>},
    {ZYDIS_MNEMONIC_VMASKMOVPS, nullptr, 0, select_masked<u32>},
    {ZYDIS_MNEMONIC_VMASKMOVPD, nullptr, 0, select_masked<u64>},
    {ZYDIS_MNEMONIC_VPMASKMOVD, nullptr, 0, select_masked<u32>},
    {ZYDIS_MNEMONIC_VPMASKMOVQ, nullptr, 0, select_masked<u64>},
    {ZYDIS_MNEMONIC_VGATHERDPS, nullptr, 0, select_gather<u32, s32>},
    {ZYDIS_MNEMONIC_VPGATHERDD, nullptr, 0, select_gather<u32, s32>},
    {ZYDIS_MNEMONIC_VGATHERDPD, nullptr, 0, select_gather<u64, s32>},
    {ZYDIS_MNEMONIC_VPGATHERDQ, nullptr, 0, select_gather<u64, s32>},
    {ZYDIS_MNEMONIC_VGATHERQPS, nullptr, 0, select_gather<u32, s64>},
    {ZYDIS_MNEMONIC_VPGATHERQD, nullptr, 0, select_gather<u32, s64>},
    {ZYDIS_MNEMONIC_VGATHERQPD, nullptr, 0, select_gather<u64, s64>},
    {ZYDIS_MNEMONIC_VPGATHERQQ, nullptr, 0, select_gather<u64, s64>},
    {ZYDIS_MNEMONIC_VZEROUPPER, &call<zero<false>>},
    {ZYDIS_MNEMONIC_VZEROALL, &call<zero<true>>},
};

}  // namespace

std::span<const Row> simd_avx_rows() { return kRows; }

}  // namespace mock::cpu
