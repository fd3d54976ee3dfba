// The extended state components (XCR0) of this processor: sizes, places in the XSAVE area, which are in use. SDM vol. 1
// 13.4, 13.6; places of the standard format as recorded from the processor of the profiles (CPUID leaf 0Dh).
#pragma once

#include "mock/cpu/state.hpp"

namespace mock::cpu {

inline constexpr u64 kXstateX87 = 1, kXstateSse = 2, kXstateAvx = 4, kXstatePkru = 1u << 9;
inline constexpr u64 kXstateAll = kXstateX87 | kXstateSse | kXstateAvx | kXstatePkru;
inline constexpr u32 kXsaveHeaderEnd = 576, kMxcsrAtReset = 0x1f80;
inline constexpr u64 kXcompCompacted = u64{1} << 63;

struct XstateComponent {
  u8 number;
  u32 bytes;
  u32 standard_offset;
};
// Those behind the header.
inline constexpr XstateComponent kXstateAvxHigh{2, 256, 576}, kXstatePkruWord{9, 8, 2688};
inline constexpr XstateComponent kXstateComponents[] = {kXstateAvxHigh, kXstatePkruWord};

// Bytes of an area with the components of `mask`. None of them wants its place aligned in the compacted format.
constexpr u32 xsave_bytes(u64 mask, bool compacted) {
  u32 end = kXsaveHeaderEnd;
  for (const XstateComponent& c : kXstateComponents) {
    if (mask >> c.number & 1) end = (compacted ? end : c.standard_offset) + c.bytes;
  }
  return end;
}
static_assert(xsave_bytes(3, false) == 576 && xsave_bytes(7, false) == 832 && xsave_bytes(0x207, false) == 2696);
static_assert(xsave_bytes(0x207, true) == 840);

// Where a component lies. xcomp_bv: that of the header, 0 in the standard format.
constexpr u32 xsave_offset(const XstateComponent& component, u64 xcomp_bv) {
  if (!(xcomp_bv & kXcompCompacted)) return component.standard_offset;
  return xsave_bytes(xcomp_bv & ((u64{1} << component.number) - 1), true);
}

// The components that are not in their initial configuration, as XINUSE has it: MXCSR does not count.
u64 components_in_use(const FpuState& fpu);

}  // namespace mock::cpu
