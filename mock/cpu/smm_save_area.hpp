// The save state of system management mode: 512 bytes from SMBASE + FE00h, in the two layouts that KVM writes. A guest
// whose CPUID has long mode gets the AMD64 one (APM vol. 2 10.2.3), any other the 32-bit one of the P6. Offsets are
// from SMBASE, as the manuals count them. Pure data; who saves and loads it is smm.cpp.
#pragma once

#include <array>
#include <cstring>

#include "mock/cpu/descriptor.hpp"

namespace mock::cpu {

struct SaveArea {
  static constexpr u32 kFirst = 0xfe00, kBytes = 0x200;
  std::array<u8, kBytes> bytes{};

  template <class T>
  void put(u32 offset, T value) {
    std::memcpy(bytes.data() + (offset - kFirst), &value, sizeof value);
  }
  template <class T>
  T get(u32 offset) const {
    T value;
    std::memcpy(&value, bytes.data() + (offset - kFirst), sizeof value);
    return value;
  }
};

// General registers in encoding order; what is between is `step` bytes apart.
namespace smm32 {
inline constexpr u32 kSmbase = 0xfef8, kRevision = 0xfefc, kCr4 = 0xff14, kShadow = 0xff1a, kIdtr = 0xff50,
                     kGdtr = 0xff6c, kDr7 = 0xffc8, kDr6 = 0xffcc, kGpr = 0xffd0, kEip = 0xfff0, kEflags = 0xfff4,
                     kCr3 = 0xfff8, kCr0 = 0xfffc;
inline constexpr u32 kRevisionValue = 0x20000;

// Attributes, limit and base lie together (4 bytes each), the selector elsewhere.
struct Place {
  u32 selector, rest;
};
inline constexpr Place kSegments[] = {{0xffa8, 0xff84}, {0xffac, 0xff90}, {0xffb0, 0xff9c},
                                      {0xffb4, 0xff2c}, {0xffb8, 0xff38}, {0xffbc, 0xff44}};
inline constexpr Place kLdtr{0xffc0, 0xff78}, kTr{0xffc4, 0xff5c};

// Bits 8-15 and 20-23 of a descriptor's upper half.
constexpr u32 pack(u16 attributes) { return u32{attributes & 0xffu} << 8 | u32{attributes >> 8 & 0xfu} << 20; }
constexpr u16 unpack(u32 flags) { return static_cast<u16>((flags >> 8 & 0xff) | (flags >> 20 & 0xf) << 8); }

inline void put(SaveArea& area, const Place& place, const Segment& segment) {
  area.put<u32>(place.selector, segment.selector);
  area.put<u32>(place.rest, pack(segment.attributes));
  area.put<u32>(place.rest + 4, segment.limit_bytes);
  area.put<u32>(place.rest + 8, static_cast<u32>(segment.base));
}
inline Segment get(const SaveArea& area, const Place& place) {
  Segment segment;
  segment.selector = static_cast<u16>(area.get<u32>(place.selector));
  segment.attributes = unpack(area.get<u32>(place.rest));
  segment.limit_bytes = area.get<u32>(place.rest + 4);
  segment.base = area.get<u32>(place.rest + 8);
  segment.unusable = !segment.present();
  return segment;
}
inline void put(SaveArea& area, u32 offset, const DescriptorTable& table) {
  area.put<u32>(offset + 4, table.limit);
  area.put<u32>(offset + 8, static_cast<u32>(table.base));
}
inline DescriptorTable get_table(const SaveArea& area, u32 offset) {
  return {.base = area.get<u32>(offset + 8), .limit = static_cast<u16>(area.get<u32>(offset + 4))};
}
}  // namespace smm32

namespace smm64 {
inline constexpr u32 kSegments = 0xfe00, kGdtr = 0xfe60, kLdtr = 0xfe70, kIdtr = 0xfe80, kTr = 0xfe90, kShadow = 0xfecb,
                     kEfer = 0xfed0, kRevision = 0xfefc, kSmbase = 0xff00, kCr4 = 0xff48, kCr3 = 0xff50, kCr0 = 0xff58,
                     kDr7 = 0xff60, kDr6 = 0xff68, kRflags = 0xff70, kRip = 0xff78, kRax = 0xfff8;  // others below RAX
inline constexpr u32 kRevisionValue = 0x20064;

constexpr u16 pack(u16 attributes) { return static_cast<u16>((attributes & 0xff) | (attributes >> 8 & 0xf) << 12); }
constexpr u16 unpack(u16 flags) { return static_cast<u16>((flags & 0xff) | (flags >> 12 & 0xf) << 8); }

inline void put(SaveArea& area, u32 offset, const Segment& segment) {
  area.put<u16>(offset, segment.selector);
  area.put<u16>(offset + 2, pack(segment.attributes));
  area.put<u32>(offset + 4, segment.limit_bytes);
  area.put<u64>(offset + 8, segment.base);
}
inline Segment get(const SaveArea& area, u32 offset) {
  Segment segment;
  segment.selector = area.get<u16>(offset);
  segment.attributes = unpack(area.get<u16>(offset + 2));
  segment.limit_bytes = area.get<u32>(offset + 4);
  segment.base = area.get<u64>(offset + 8);
  segment.unusable = !segment.present();
  return segment;
}
inline void put(SaveArea& area, u32 offset, const DescriptorTable& table) {
  area.put<u32>(offset + 4, table.limit);
  area.put<u64>(offset + 8, table.base);
}
inline DescriptorTable get_table(const SaveArea& area, u32 offset) {
  return {.base = area.get<u64>(offset + 8), .limit = static_cast<u16>(area.get<u32>(offset + 4))};
}
}  // namespace smm64

static_assert(smm32::unpack(smm32::pack(0xa9b)) == 0xa9b && smm64::unpack(smm64::pack(0xa9b)) == 0xa9b);

}  // namespace mock::cpu
