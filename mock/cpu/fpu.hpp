// What the floating-point and vector families share: when such an instruction may run, the x87 state in the host's
// FXSAVE form, and memory operands that a device must not see. SDM vol. 1 chapter 8, 10, 13; APM vol. 2 chapter 11.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// Bits of the x87 status word.
inline constexpr u16 kFswExceptions = 0x3f, kFswSummary = 0x80, kFswBusy = 0x8000;

// The 512 bytes of FXSAVE in 64-bit form; ST registers in stack order.
struct alignas(16) FxArea {
  u16 fcw = 0x37f, fsw = 0;
  u8 ftw = 0, reserved = 0;
  u16 fop = 0;
  u64 fip = 0, fdp = 0;
  u32 mxcsr = 0x1f80, mxcsr_mask = 0;
  std::array<std::array<u64, 2>, 8> st{};
  std::array<std::array<u64, 2>, 16> xmm{};
  std::array<u64, 12> unused{};
};
static_assert(sizeof(FxArea) == 512);

inline unsigned x87_top(const FpuState& fpu) { return (fpu.fsw >> 11) & 7; }

void store_x87(const FpuState& fpu, FxArea& area);
void load_x87(FpuState& fpu, const FxArea& area);

// Whether an x87 or MMX instruction may run: #NM, and for a waiting instruction #MF if an unmasked exception is
// pending.
bool x87_ready(Core& core, bool waits);
bool mmx_ready(Core& core);  // #UD, #NM, #MF
bool sse_ready(Core& core);  // #UD, #NM
bool avx_ready(Core& core);  // #UD, #NM

// Recomputes the summary bits of the status word after FCW or FSW were loaded.
void update_summary(FpuState& fpu);

// KVM's emulator has no vector or x87 arithmetic: such an instruction on device memory ends KVM_RUN with an emulation
// failure. False with Stop::emulation_failure if a byte of the operand is no RAM, or with the fault of the access.
bool is_ram(Core& core, u64 linear, unsigned size, Access access);

// A memory operand of a vector or x87 instruction: segment checks, RAM only.
bool read_ram(Core& core, const Op& op, void* data, unsigned size);
bool write_ram(Core& core, const Op& op, const void* data, unsigned size);

// Bits that LDMXCSR and FXRSTOR accept: those of every x86-64 processor, not AMD's misaligned mode.
inline constexpr u32 kMxcsrMask = 0xffff;

}  // namespace mock::cpu
