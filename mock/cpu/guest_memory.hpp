// Accesses to guest memory through host pointers. Other vcpu threads and the owner may access the same bytes at any
// time: that is the guest's business, as on real memory. So every access is an atomic one (relaxed: on an x86 host a
// single load or store has the guest's ordering, TSO; the tail calls between handlers keep the compiler from moving
// them), of 1, 2, 4, 8 or 16 bytes, aligned or not, as the processor has it.
#pragma once

#include <cstring>

#include "mock/cpu/core.hpp"

namespace mock::cpu {

#define MOCK_CPU_GUEST_ACCESS __attribute__((no_sanitize("alignment"))) inline

template <class T>
MOCK_CPU_GUEST_ACCESS T load(const u8* host) {
  return __atomic_load_n(reinterpret_cast<const T*>(host), __ATOMIC_RELAXED);
}

template <class T>
MOCK_CPU_GUEST_ACCESS void store(u8* host, T value) {
  __atomic_store_n(reinterpret_cast<T*>(host), value, __ATOMIC_RELAXED);
}

// One instruction each; the compiler has no atomic operation of that size.
typedef long long SixteenBytes __attribute__((vector_size(16)));
inline SixteenBytes load_16(const u8* host) {
  SixteenBytes value;
  asm volatile("movups %1, %0" : "=x"(value) : "m"(*reinterpret_cast<const u8(*)[16]>(host)));
  return value;
}
inline void store_16(u8* host, SixteenBytes value) {
  asm volatile("movups %1, %0" : "=m"(*reinterpret_cast<u8(*)[16]>(host)) : "x"(value));
}

template <class T>
inline void copy_one_from_guest(u8*& to, const u8*& host, unsigned& size) {
  const T value = load<T>(host);
  std::memcpy(to, &value, sizeof value);
  to += sizeof value;
  host += sizeof value;
  size -= sizeof value;
}

template <class T>
inline void copy_one_to_guest(u8*& host, const u8*& from, unsigned& size) {
  T value;
  std::memcpy(&value, from, sizeof value);
  store(host, value);
  host += sizeof value;
  from += sizeof value;
  size -= sizeof value;
}

// Any length; 1, 2, 4, 8 and 16 bytes are a single access.
inline void copy_from_guest(void* data, const u8* host, unsigned size) {
  auto* to = static_cast<u8*>(data);
  for (; size >= 16; to += 16, host += 16, size -= 16) {
    const SixteenBytes value = load_16(host);
    std::memcpy(to, &value, sizeof value);
  }
  if (size & 8) copy_one_from_guest<u64>(to, host, size);
  if (size & 4) copy_one_from_guest<u32>(to, host, size);
  if (size & 2) copy_one_from_guest<u16>(to, host, size);
  if (size & 1) copy_one_from_guest<u8>(to, host, size);
}

inline void copy_to_guest(u8* host, const void* data, unsigned size) {
  const auto* from = static_cast<const u8*>(data);
  for (; size >= 16; host += 16, from += 16, size -= 16) {
    SixteenBytes value;
    std::memcpy(&value, from, sizeof value);
    store_16(host, value);
  }
  if (size & 8) copy_one_to_guest<u64>(host, from, size);
  if (size & 4) copy_one_to_guest<u32>(host, from, size);
  if (size & 2) copy_one_to_guest<u16>(host, from, size);
  if (size & 1) copy_one_to_guest<u8>(host, from, size);
}

// The inline part of translation: host pointer for `size` bytes at a linear address, or null (miss, page crossing,
// device, code page).
template <unsigned size>
inline u8* fast_read(const Core* core, u64 linear) {
  const auto* entry = reinterpret_cast<const TlbEntry*>(reinterpret_cast<const u8*>(core->tlb_entries) +
                                                        ((linear >> kTlbShift) & core->tlb_byte_mask));
  if (((linear + size - 1) & ~u64{0xfff}) != entry->read_tag) [[unlikely]]
    return nullptr;
  return reinterpret_cast<u8*>(reinterpret_cast<u64>(entry->host_minus_linear) + linear);
}

template <unsigned size>
inline u8* fast_write(const Core* core, u64 linear) {
  const auto* entry = reinterpret_cast<const TlbEntry*>(reinterpret_cast<const u8*>(core->tlb_entries) +
                                                        ((linear >> kTlbShift) & core->tlb_byte_mask));
  if (((linear + size - 1) & ~u64{0xfff}) != entry->write_tag) [[unlikely]]
    return nullptr;
  return reinterpret_cast<u8*>(reinterpret_cast<u64>(entry->host_minus_linear) + linear);
}

// To be called before an instruction touches guest memory: where to resume if the host page has vanished. See
// Cpu::host_page_vanished. Volatile, so that the note is made before the access.
inline void note_access(Core* core, const Op* op) { *const_cast<const Op* volatile*>(&core->in_flight) = op; }

// Which form an operand's address has; chosen at decode time.
enum class Ea : u8 {
  base,     // 64-bit mode, flat segment: base + displacement (also absolute and RIP-relative)
  indexed,  // the same with an index
  general,  // anything: 16/32-bit addresses, segment base and limit
};

inline u64 reg64(const Core* core, u8 slot) {
  u64 value;
  __builtin_memcpy(&value, reinterpret_cast<const u8*>(core->s.gpr.data()) + slot, 8);
  return value;
}

inline constexpr u64 kAddressMask[4] = {0xff, 0xffff, 0xffffffff, ~u64{0}};

inline u64 offset_of(const Core* core, const Op* op) {
  const u64 sum = reg64(core, op->base) + (reg64(core, op->index) << op->scale()) + static_cast<u64>(op->disp);
  return sum & kAddressMask[(op->address >> 3) & 3];
}

// Host pointer for the memory operand or null (then the slow path does it all again).
template <Ea ea, unsigned size, bool write>
inline u8* fast_operand(Core* core, const Op* op) {
  note_access(core, op);
  u64 linear;
  if constexpr (ea == Ea::base) {
    linear = reg64(core, op->base) + static_cast<u64>(op->disp);
  } else if constexpr (ea == Ea::indexed) {
    linear = reg64(core, op->base) + (reg64(core, op->index) << op->scale()) + static_cast<u64>(op->disp);
  } else {
    const u64 offset = offset_of(core, op);
    const SegmentView& view = core->view[op->address & 7];
    if (static_cast<s64>(offset + size - 1) > (write ? view.write_last : view.read_last)) [[unlikely]]
      return nullptr;
    linear = (view.base + offset) & core->linear_mask;
  }
  return write ? fast_write<size>(core, linear) : fast_read<size>(core, linear);
}

}  // namespace mock::cpu
