// Segment and gate descriptors as they lie in memory, and what their fields mean (SDM vol.
// 3 3.4.5, 3.5, 5.8.3, 6.11, 7.2; APM vol. 2 4.7, 4.8). Pure functions; reading tables and raising faults is
// segment.hpp and far.hpp.
#pragma once

#include "mock/cpu/state.hpp"

namespace mock::cpu {

// System descriptor types (s = 0).
enum SystemType : u8 {
  kTss16Available = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32Available = 9,  // also the 64-bit TSS
  kTss32Busy = 11,
  kCallGate32 = 12,  // also the 64-bit gates
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

struct Selector {
  u16 value = 0;

  constexpr u8 rpl() const { return value & 3; }
  constexpr bool is_local() const { return value & 4; }
  constexpr u16 offset() const { return value & 0xfff8; }
  constexpr bool is_null() const { return !(value & 0xfffc); }
  constexpr u32 error_code() const { return value & 0xfffc; }
};

// Eight bytes of a descriptor table; the upper half of 16-byte system descriptors is kept apart.
struct Descriptor {
  u64 raw = 0;
  u64 upper = 0;  // bytes 8-15 of a long-mode system descriptor

  constexpr u8 type() const { return raw >> 40 & 0xf; }
  constexpr bool is_code_or_data() const { return raw >> 44 & 1; }
  constexpr u8 dpl() const { return raw >> 45 & 3; }
  constexpr bool present() const { return raw >> 47 & 1; }
  constexpr bool l() const { return raw >> 53 & 1; }
  constexpr bool db() const { return raw >> 54 & 1; }
  constexpr bool g() const { return raw >> 55 & 1; }

  constexpr bool is_code() const { return is_code_or_data() && (type() & 8); }
  constexpr bool is_data() const { return is_code_or_data() && !(type() & 8); }
  constexpr bool is_conforming() const { return type() & 4; }
  constexpr bool is_readable() const { return is_data() || (is_code() && (type() & 2)); }
  constexpr bool is_writable() const { return is_data() && (type() & 2); }
  constexpr bool is_accessed() const { return type() & 1; }

  constexpr u64 base() const { return (raw >> 16 & 0xffffff) | (raw >> 56 & 0xff) << 24 | (upper & 0xffffffff) << 32; }
  constexpr u32 limit_bytes() const {
    const u32 limit = static_cast<u32>((raw & 0xffff) | (raw >> 32 & 0xf0000));
    return g() ? limit << 12 | 0xfff : limit;
  }
  // As Segment::attributes has it.
  constexpr u16 attributes() const { return static_cast<u16>((raw >> 40 & 0xff) | (raw >> 52 & 0xf) << 8); }

  // Gates.
  constexpr u16 gate_selector() const { return raw >> 16 & 0xffff; }
  constexpr u64 gate_offset() const { return (raw & 0xffff) | (raw >> 32 & 0xffff0000) | (upper & 0xffffffff) << 32; }
  constexpr u32 gate_offset16() const { return raw & 0xffff; }
  constexpr u8 gate_parameters() const { return raw >> 32 & 0x1f; }
  constexpr u8 gate_ist() const { return raw >> 32 & 7; }
};

// The eight bytes that describe `segment` (the lower half for system segments).
constexpr u64 pack_descriptor(u32 base, u32 limit_bytes, u16 attributes) {
  const u64 limit = attributes & 0x800 ? limit_bytes >> 12 : limit_bytes;
  return (limit & 0xffff) | (limit & 0xf0000) << 32 | u64{base & 0xffffff} << 16 | u64{base >> 24} << 56 |
         u64{attributes & 0xffu} << 40 | u64{attributes >> 8 & 0xfu} << 52;
}

// The eight bytes of a 16/32-bit gate, or the lower eight of a 64-bit gate. `parameters` is the IST index in 64-bit IDT
// gates.
constexpr u64 pack_gate(u16 selector, u32 offset, u8 type, u8 dpl, u8 parameters = 0) {
  return (offset & 0xffff) | u64{selector} << 16 | u64{parameters} << 32 | u64(0x80 | dpl << 5 | type) << 40 |
         u64{offset >> 16} << 48;
}

inline Segment segment_of(Selector selector, const Descriptor& descriptor) {
  Segment segment;
  segment.base = descriptor.base();
  segment.limit_bytes = descriptor.limit_bytes();
  segment.selector = selector.value;
  segment.attributes = descriptor.attributes();
  segment.unusable = false;
  return segment;
}

// A segment register as a null selector leaves it.
inline Segment null_segment(u16 selector, u64 base) {
  Segment segment;
  segment.base = base;
  segment.limit_bytes = 0;
  segment.selector = selector;
  segment.attributes = 0;
  segment.unusable = true;
  return segment;
}

// What a segment register holds in real and virtual-8086 mode after a load (the limit and rights stay in real mode, the
// descriptor cache is only given a base).
inline constexpr u16 kReal16Data = 0x93;
inline constexpr u16 kVm86Attributes = 0xf3;  // present, dpl 3, read/write, accessed

}  // namespace mock::cpu
