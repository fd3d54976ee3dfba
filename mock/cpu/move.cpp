// MOV MOVZX MOVSX MOVSXD MOVBE LEA XCHG BSWAP CMOVcc SETcc.
#include <algorithm>

#include "mock/cpu/handler_kit.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {

namespace {

// --- MOV
// -----------------------------------------------------------------------------------------------------------------

template <class T>
__attribute__((noinline)) bool load_slow(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(T), value)) return false;
  set<T>(&core, op.slot[0], static_cast<T>(value));
  return true;
}

template <class T, Ea ea>
void mov_load(Core* core, const Op* op, s64 budget) {
  u8* const host = fast_operand<ea, sizeof(T), false>(core, op);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL(call<load_slow<T>>);
  set<T>(core, op->slot[0], load<T>(host));
  MOCK_CPU_NEXT();
}

template <class T, bool immediate>
__attribute__((noinline)) bool store_slow(Core& core, const Op& op) {
  return core.write_operand(op, 0, sizeof(T), immediate ? static_cast<T>(op.imm) : get<T>(&core, op.slot[1]));
}

template <class T, Ea ea, bool immediate>
void mov_store(Core* core, const Op* op, s64 budget) {
  u8* const host = fast_operand<ea, sizeof(T), true>(core, op);
  if (!host) [[unlikely]]
    MOCK_CPU_TAIL((call<store_slow<T, immediate>>));
  store<T>(host, immediate ? static_cast<T>(op->imm) : get<T>(core, op->slot[1]));
  MOCK_CPU_NEXT();
}

template <class T>
void mov_register(Core* core, const Op* op, s64 budget) {
  set<T>(core, op->slot[0], get<T>(core, op->slot[1]));
  MOCK_CPU_NEXT();
}

template <class T>
void mov_immediate(Core* core, const Op* op, s64 budget) {
  set<T>(core, op->slot[0], static_cast<T>(op->disp));
  MOCK_CPU_NEXT();
}

// Segment, control and debug registers are system instructions.
void select_system_move(const Decoded& d, Op& op, Selection& s) {
  const auto class_of = [&](unsigned i) {
    return d.is_register(i) ? ZydisRegisterGetClass(d.operands[i].reg.value) : ZYDIS_REGCLASS_INVALID;
  };
  const bool to = class_of(0) == ZYDIS_REGCLASS_SEGMENT || class_of(0) == ZYDIS_REGCLASS_CONTROL ||
                  class_of(0) == ZYDIS_REGCLASS_DEBUG;
  switch (class_of(to ? 0 : 1)) {
    case ZYDIS_REGCLASS_SEGMENT:
      s.handler = to ? &call<mov_to_segment> : &call<mov_from_segment>;
      break;
    case ZYDIS_REGCLASS_CONTROL:
      s.handler = to ? &call<mov_to_cr> : &call<mov_from_cr>;
      break;
    case ZYDIS_REGCLASS_DEBUG:
      s.handler = to ? &call<mov_to_dr> : &call<mov_from_dr>;
      break;
    default:
      return;
  }
  op.prefixes |= 16;
}

void select_mov(const Decoded& d, Op& op, Selection& s) {
  const auto is_general = [&](unsigned i) {
    return !d.is_register(i) || ZydisRegisterGetClass(d.operands[i].reg.value) <= ZYDIS_REGCLASS_GPR64;
  };
  if (!is_general(0) || !is_general(1)) return select_system_move(d, op, s);
  Form form;
  if (!form_of(d, form)) return;
  s.reads_flags = false;
  s.may_leave = has_memory(form);
  with_type(d.operand_bits(0), [&]<class T>() {
    switch (form) {
      case Form::rr:
        s.handler = &mov_register<T>;
        break;
      case Form::ri:
        s.handler = &mov_immediate<T>;
        break;
      case Form::rm:
        s.handler = with_ea(ea_of(d, op), []<Ea ea>() { return &mov_load<T, ea>; });
        break;
      case Form::mr:
        s.handler = with_ea(ea_of(d, op), []<Ea ea>() { return &mov_store<T, ea, false>; });
        break;
      case Form::mi:
        s.handler = with_ea(ea_of(d, op), []<Ea ea>() { return &mov_store<T, ea, true>; });
        break;
    }
  });
}

// --- MOVZX MOVSX MOVSXD
// ---------------------------------------------------------------------------------------------------

template <class To, class From, bool is_signed>
To extend(From value) {
  if constexpr (is_signed)
    return static_cast<To>(sign_extend(value));
  else
    return value;
}

template <class To, class From, bool is_signed>
__attribute__((noinline)) bool extend_slow(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(From), value)) return false;
  set<To>(&core, op.slot[0], extend<To, From, is_signed>(static_cast<From>(value)));
  return true;
}

template <class To, class From, bool is_signed, bool memory, Ea ea>
void move_extended(Core* core, const Op* op, s64 budget) {
  From value;
  if constexpr (memory) {
    u8* const host = fast_operand<ea, sizeof(From), false>(core, op);
    if (!host) [[unlikely]]
      MOCK_CPU_TAIL((call<extend_slow<To, From, is_signed>>));
    value = load<From>(host);
  } else {
    value = get<From>(core, op->slot[1]);
  }
  set<To>(core, op->slot[0], extend<To, From, is_signed>(value));
  MOCK_CPU_NEXT();
}

template <bool is_signed>
void select_extended(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = false;
  s.may_leave = d.is_memory(1);
  // MOVSXD with a 16-bit destination reads 16 bits.
  const unsigned from_bits = std::min(d.operand_bits(0), d.operand_bits(1));
  with_type(d.operand_bits(0), [&]<class To>() {
    with_type(from_bits, [&]<class From>() {
      if constexpr (sizeof(From) <= sizeof(To) && sizeof(To) > 1) {
        if (d.is_memory(1))
          s.handler = with_ea(ea_of(d, op), []<Ea ea>() { return &move_extended<To, From, is_signed, true, ea>; });
        else
          s.handler = &move_extended<To, From, is_signed, false, Ea::base>;
      }
    });
  });
}

// --- LEA
// -----------------------------------------------------------------------------------------------------------------

template <class T, bool general>
void lea(Core* core, const Op* op, s64 budget) {
  if constexpr (general)
    set<T>(core, op->slot[0], static_cast<T>(offset_of(core, op)));
  else
    set<T>(
        core, op->slot[0],
        static_cast<T>(reg64(core, op->base) + (reg64(core, op->index) << op->scale()) + static_cast<u64>(op->disp)));
  MOCK_CPU_NEXT();
}

void select_lea(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = s.may_leave = false;
  with_type(d.operand_bits(0),
            [&]<class T>() { s.handler = op.address_bytes() >= sizeof(T) ? &lea<T, false> : &lea<T, true>; });
}

// --- XCHG BSWAP MOVBE
// -------------------------------------------------------------------------------------------------------

template <class T>
bool xchg_memory(Core& core, const Op& op) {
  const unsigned reg = op.is_memory(0) ? 1 : 0;
  const T value = get<T>(&core, op.slot[reg]);
  T old{};
  if (!update_memory<T>(core, op, true, [&](T a) {
        old = a;
        return value;
      }))
    return false;
  set<T>(&core, op.slot[reg], old);
  return true;
}

template <class T>
void xchg_register(Core* core, const Op* op, s64 budget) {
  const T a = get<T>(core, op->slot[0]), b = get<T>(core, op->slot[1]);
  set<T>(core, op->slot[0], b);
  set<T>(core, op->slot[1], a);
  MOCK_CPU_NEXT();
}

void select_xchg(const Decoded& d, Op& op, Selection& s) {
  s.reads_flags = false;
  s.may_leave = op.memory_operand();
  with_type(d.operand_bits(0),
            [&]<class T>() { s.handler = op.memory_operand() ? &call<xchg_memory<T>> : &xchg_register<T>; });
}

constexpr u16 byte_swap(u16 v) { return __builtin_bswap16(v); }
constexpr u32 byte_swap(u32 v) { return __builtin_bswap32(v); }
constexpr u64 byte_swap(u64 v) { return __builtin_bswap64(v); }

template <class T>
void bswap(Core* core, const Op* op, s64 budget) {
  // 16-bit BSWAP is undefined by the manuals; current CPUs clear the register.
  if constexpr (sizeof(T) == 2)
    set<T>(core, op->slot[0], 0);
  else
    set<T>(core, op->slot[0], byte_swap(get<T>(core, op->slot[0])));
  MOCK_CPU_NEXT();
}

void select_bswap(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = s.may_leave = false;
  s.handler = d.operand_bits(0) == 16 ? &bswap<u16> : d.operand_bits(0) == 32 ? &bswap<u32> : &bswap<u64>;
}

template <class T>
bool movbe(Core& core, const Op& op) {
  u64 value;
  return core.read_operand(op, 1, sizeof(T), value) &&
         core.write_operand(op, 0, sizeof(T), byte_swap(static_cast<T>(value)));
}

void select_movbe(const Decoded& d, Op&, Selection& s) {
  s.reads_flags = false;
  s.handler = d.operand_bits(0) == 16   ? &call<movbe<u16>>
              : d.operand_bits(0) == 32 ? &call<movbe<u32>>
                                        : &call<movbe<u64>>;
}

// --- CMOVcc SETcc
// ----------------------------------------------------------------------------------------------------------

template <class T, unsigned code>
void cmov_register(Core* core, const Op* op, s64 budget) {
  const T a = get<T>(core, op->slot[0]), b = get<T>(core, op->slot[1]);
  set<T>(core, op->slot[0], condition<code>(core->lazy) ? b : a);
  MOCK_CPU_NEXT();
}

// The load happens, and faults, whatever the condition.
template <class T, unsigned code>
bool cmov_memory(Core& core, const Op& op) {
  u64 value;
  if (!core.read_operand(op, 1, sizeof(T), value)) return false;
  set<T>(&core, op.slot[0], condition<code>(core.lazy) ? static_cast<T>(value) : get<T>(&core, op.slot[0]));
  return true;
}

template <unsigned code>
void set_register(Core* core, const Op* op, s64 budget) {
  set<u8>(core, op->slot[0], condition<code>(core->lazy));
  MOCK_CPU_NEXT();
}

template <unsigned code>
bool set_memory(Core& core, const Op& op) {
  return core.write_operand(op, 0, 1, condition<code>(core.lazy));
}

template <unsigned code>
void select_cmov(const Decoded& d, Op&, Selection& s) {
  s.may_leave = d.is_memory(1);
  with_type(d.operand_bits(0), [&]<class T>() {
    if constexpr (sizeof(T) > 1) s.handler = d.is_memory(1) ? &call<cmov_memory<T, code>> : &cmov_register<T, code>;
  });
}

template <unsigned code>
void select_set(const Decoded& d, Op&, Selection& s) {
  s.may_leave = d.is_memory(0);
  s.handler = d.is_memory(0) ? &call<set_memory<code>> : &set_register<code>;
}

constexpr Row kRows[] = {
    {ZYDIS_MNEMONIC_MOV, nullptr, 0, select_mov},
    {ZYDIS_MNEMONIC_MOVZX, nullptr, 0, select_extended<false>},
    {ZYDIS_MNEMONIC_MOVSX, nullptr, 0, select_extended<true>},
    {ZYDIS_MNEMONIC_MOVSXD, nullptr, 0, select_extended<true>},
    {ZYDIS_MNEMONIC_LEA, nullptr, 0, select_lea},
    {ZYDIS_MNEMONIC_XCHG, nullptr, kLockable, select_xchg},
    {ZYDIS_MNEMONIC_BSWAP, nullptr, 0, select_bswap},
    {ZYDIS_MNEMONIC_MOVBE, nullptr, 0, select_movbe},
#define CONDITIONAL(suffix, code)                                 \
  {ZYDIS_MNEMONIC_CMOV##suffix, nullptr, 0, select_cmov<code>}, { \
    ZYDIS_MNEMONIC_SET##suffix, nullptr, 0, select_set<code>      \
  }
    CONDITIONAL(O, 0),
    CONDITIONAL(NO, 1),
    CONDITIONAL(B, 2),
    CONDITIONAL(NB, 3),
    CONDITIONAL(Z, 4),
    CONDITIONAL(NZ, 5),
    CONDITIONAL(BE, 6),
    CONDITIONAL(NBE, 7),
    CONDITIONAL(S, 8),
    CONDITIONAL(NS, 9),
    CONDITIONAL(P, 10),
    CONDITIONAL(NP, 11),
    CONDITIONAL(L, 12),
    CONDITIONAL(NL, 13),
    CONDITIONAL(LE, 14),
    CONDITIONAL(NLE, 15),
#undef CONDITIONAL
};

}  // namespace

std::span<const Row> move_rows() { return kRows; }

}  // namespace mock::cpu
