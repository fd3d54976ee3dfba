// Building blocks of specialised handlers: register access by type, flag commits, selection by operand kind and size.
#pragma once

#include "mock/cpu/alu.hpp"
#include "mock/cpu/engine.hpp"

namespace mock::cpu {

template <class T>
inline T get(const Core* core, u8 slot) {
  T value;
  __builtin_memcpy(&value, reinterpret_cast<const u8*>(core->s.gpr.data()) + slot, sizeof(T));
  return value;
}

// A 32-bit result clears the upper half.
template <class T>
inline void set(Core* core, u8 slot, T value) {
  if constexpr (sizeof(T) == 4) {
    const u64 wide = value;
    __builtin_memcpy(reinterpret_cast<u8*>(core->s.gpr.data()) + slot, &wide, 8);
  } else {
    __builtin_memcpy(reinterpret_cast<u8*>(core->s.gpr.data()) + slot, &value, sizeof(T));
  }
}

// Field by field: a copy of the struct would make the compiler gather it on the stack first.
__attribute__((always_inline)) inline void commit(Core* core, const LazyFlags& flags) {
  core->lazy.carry = flags.carry;
  core->lazy.result = flags.result;
  core->lazy.carries = flags.carries;
}

// Where the operands of an instruction are.
enum class Form : u8 {
  rr,  // register, register
  ri,  // register, immediate
  rm,  // register, memory
  mr,  // memory, register
  mi,  // memory, immediate
};
constexpr bool has_memory(Form form) { return form == Form::rm || form == Form::mr || form == Form::mi; }

// The form of a two-operand instruction. False: some other shape.
inline bool form_of(const Decoded& d, Form& form) {
  if (d.instruction.operand_count_visible < 2) return false;
  if (d.is_register(0)) {
    form = d.is_register(1) ? Form::rr : d.is_immediate(1) ? Form::ri : Form::rm;
    return d.is_register(1) || d.is_immediate(1) || d.is_memory(1);
  }
  form = d.is_register(1) ? Form::mr : Form::mi;
  return d.is_memory(0) && (d.is_register(1) || d.is_immediate(1));
}

// The cheapest correct way to compute the memory operand's address.
inline Ea ea_of(const Decoded& d, const Op& op) {
  const bool flat = d.is_64bit() && op.segment() < FS && op.address_bytes() == 8;
  if (!flat) return Ea::general;
  return op.index == kNoRegister ? Ea::base : Ea::indexed;
}

// Calls f with a value of the operand's unsigned type: with_type(bits, []<class T>() { ... }).
template <class F>
constexpr auto with_type(unsigned bits, F f) {
  switch (bits) {
    case 8:
      return f.template operator()<u8>();
    case 16:
      return f.template operator()<u16>();
    case 32:
      return f.template operator()<u32>();
    default:
      return f.template operator()<u64>();
  }
}

// The stack of 16- and 32-bit modes, whose pointer has the width that SS says.
inline u64 narrow_stack_mask(const Core* core) { return core->s.seg[SS].db() ? 0xffffffffu : 0xffffu; }
inline void set_narrow_stack_pointer(Core* core, u64 mask, u64 value) {
  core->s.gpr[RSP] = (core->s.gpr[RSP] & ~mask) | (value & mask);
}
// Host pointer of the T at `offset` of SS, or null (then the slow path does it all again).
template <class T, bool write>
inline u8* fast_stack(const Core* core, u64 offset) {
  const SegmentView& view = core->view[SS];
  if (static_cast<s64>(offset + sizeof(T) - 1) > (write ? view.write_last : view.read_last)) [[unlikely]]
    return nullptr;
  const u64 linear = (view.base + offset) & core->linear_mask;
  return write ? fast_write<sizeof(T)>(core, linear) : fast_read<sizeof(T)>(core, linear);
}

// Builds that return to a loop after each handler (sanitizers, no optimisation) do without most of the specialisation:
// they are for finding faults, and the handlers are many.
inline constexpr bool kFewHandlers = MOCK_CPU_CALL_THREADED;

template <class F>
constexpr auto with_ea(Ea ea, F f) {
  if constexpr (kFewHandlers) return f.template operator()<Ea::general>();
  switch (ea) {
    case Ea::base:
      return f.template operator()<Ea::base>();
    case Ea::indexed:
      return f.template operator()<Ea::indexed>();
    default:
      return f.template operator()<Ea::general>();
  }
}

// Atomic read-modify-write in RAM for LOCK: host pointer if the operand lies in one piece of host memory, else null. It
// may be unaligned and cross lines and pages: the host's LOCK takes that too. On a fault, ok is false. Device memory,
// and pages that are no neighbours on the host, are done as a read and a write.
u8* locked_pointer(Core& core, u64 linear, unsigned size, bool& ok);
// After it: code that lay there is stale.
void note_locked_write(Core& core, const u8* host, unsigned size);

template <class T, class F>
MOCK_CPU_GUEST_ACCESS void update_locked(u8* host, F f) {
  T* const target = reinterpret_cast<T*>(host);
  T old = load<T>(host);
  T wanted;
  do {
    wanted = f(old);
  } while (!__atomic_compare_exchange_n(target, &old, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

// Read-modify-write of operand `operand` through `f(old) -> new`, atomic when `atomic`. False: fault.
template <class T, class F>
bool update_memory(Core& core, const Op& op, bool atomic, F f) {
  u64 linear;
  if (!core.linear(op.segment(), core.effective_address(op), sizeof(T), Access::write, linear)) return false;
  if (atomic) {
    bool ok;
    u8* const host = locked_pointer(core, linear, sizeof(T), ok);
    if (!ok) return false;
    if (host) {
      update_locked<T>(host, f);
      note_locked_write(core, host, sizeof(T));
      return true;
    }
  }
  T old{};
  if (!core.probe_write(linear, sizeof(T)) || !core.read_linear(linear, &old, sizeof(T))) return false;
  const T wanted = f(old);
  return core.write_linear(linear, &wanted, sizeof(T));
}

}  // namespace mock::cpu
