// Plain accesses to guest memory through host pointers. Other vcpu threads and the owner may access the same bytes at
// any time: that is the guest's business, as on real memory. On an x86 host a single load or store has the guest's
// ordering (TSO); the tail calls between handlers keep the compiler from moving them. ThreadSanitizer is told to look
// away here and only here.
#pragma once

#include <cstring>

#include "mock/cpu/core.hpp"

namespace mock::cpu {

#if defined(__SANITIZE_THREAD__)
#define MOCK_CPU_GUEST_ACCESS __attribute__((no_sanitize("thread", "alignment"))) inline
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MOCK_CPU_GUEST_ACCESS __attribute__((no_sanitize("thread", "alignment"))) inline
#endif
#endif
#ifndef MOCK_CPU_GUEST_ACCESS
#define MOCK_CPU_GUEST_ACCESS __attribute__((no_sanitize("alignment"))) inline
#endif

template <class T>
struct Unaligned {
  typedef T type __attribute__((aligned(1), may_alias));
};

template <class T>
MOCK_CPU_GUEST_ACCESS T load(const u8* host) {
  return *reinterpret_cast<const volatile typename Unaligned<T>::type*>(host);
}

template <class T>
MOCK_CPU_GUEST_ACCESS void store(u8* host, T value) {
  *reinterpret_cast<volatile typename Unaligned<T>::type*>(host) = value;
}

// Any length, each 1/2/4/8-byte access single.
MOCK_CPU_GUEST_ACCESS void copy_from_guest(void* to, const u8* host, unsigned size) {
  switch (size) {
    case 1: {
      const u8 v = load<u8>(host);
      std::memcpy(to, &v, 1);
      return;
    }
    case 2: {
      const u16 v = load<u16>(host);
      std::memcpy(to, &v, 2);
      return;
    }
    case 4: {
      const u32 v = load<u32>(host);
      std::memcpy(to, &v, 4);
      return;
    }
    case 8: {
      const u64 v = load<u64>(host);
      std::memcpy(to, &v, 8);
      return;
    }
    default:
      __builtin_memcpy(to, host, size);
  }
}

MOCK_CPU_GUEST_ACCESS void copy_to_guest(u8* host, const void* from, unsigned size) {
  switch (size) {
    case 1: {
      u8 v;
      std::memcpy(&v, from, 1);
      store(host, v);
      return;
    }
    case 2: {
      u16 v;
      std::memcpy(&v, from, 2);
      store(host, v);
      return;
    }
    case 4: {
      u32 v;
      std::memcpy(&v, from, 4);
      store(host, v);
      return;
    }
    case 8: {
      u64 v;
      std::memcpy(&v, from, 8);
      store(host, v);
      return;
    }
    default:
      __builtin_memcpy(host, from, size);
  }
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
