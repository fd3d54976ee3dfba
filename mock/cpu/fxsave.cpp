// FXSAVE, FXRSTOR, LDMXCSR, STMXCSR. SDM vol. 1 10.5; APM vol. 5. Bytes 416-511 of the area are the program's.
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_ops.hpp"

namespace mock::cpu {
namespace {

constexpr unsigned kHeaderAndSt = 160;

bool has_sse_part(const Core& core) {
  if (!(core.s.cr4 & CR4_OSFXSR)) return false;
  const bool fast = (core.s.efer & EFER_FFXSR) && core.s.cpl == 0 && core.is_64bit();
  return !fast;
}

unsigned xmm_count(const Core& core) { return core.is_64bit() ? 16 : 8; }

bool locate_area(Core& core, const Op& op, Access access, u64& linear) {
  if (core.s.cr0 & (CR0_EM | CR0_TS)) return core.raise(NM);
  if (!core.linear(op.segment(), core.effective_address(op), 512, access, linear)) return false;
  if (linear & 15) return core.raise(GP, 0);
  return is_ram(core, linear, 512, access);
}

// Without REX.W the pointers are 32 bits and a selector (0).
bool save(Core& core, const Op& op, bool is_64) {
  u64 linear;
  if (!locate_area(core, op, Access::write, linear)) return false;
  const FpuState& fpu = core.s.fpu;
  FxArea area;
  store_x87(fpu, area);
  if (!is_64) {
    area.fip &= 0xffffffff;
    area.fdp &= 0xffffffff;
  }
  area.mxcsr = fpu.mxcsr;
  area.mxcsr_mask = kMxcsrMask;
  const unsigned count = has_sse_part(core) ? xmm_count(core) : 0;
  for (unsigned i = 0; i < count; ++i) area.xmm[i] = {fpu.ymm[i].q[0], fpu.ymm[i].q[1]};
  return core.write_linear(linear, &area, kHeaderAndSt + count * 16);
}

bool restore(Core& core, const Op& op, bool is_64) {
  u64 linear;
  if (!locate_area(core, op, Access::read, linear)) return false;
  FxArea area;
  if (!core.read_linear(linear, &area, 416)) return false;
  const bool has_sse = has_sse_part(core);
  if ((core.s.cr4 & CR4_OSFXSR) && (area.mxcsr & ~kMxcsrMask)) return core.raise(GP, 0);
  if (!is_64) {
    area.fip &= 0xffffffff;
    area.fdp &= 0xffffffff;
  }
  FpuState& fpu = core.s.fpu;
  load_x87(fpu, area);
  fpu.fcw = static_cast<u16>((fpu.fcw & 0x1f3f) | 0x40);
  fpu.last_opcode &= 0x7ff;
  update_summary(fpu);
  if (core.s.cr4 & CR4_OSFXSR) fpu.mxcsr = area.mxcsr;
  for (unsigned i = 0; has_sse && i < xmm_count(core); ++i) {
    fpu.ymm[i].q[0] = area.xmm[i][0];
    fpu.ymm[i].q[1] = area.xmm[i][1];
  }
  return true;
}

bool load_control(Core& core, const Op& op) {
  u32 value;
  if (!read_ram(core, op, &value, 4)) return false;
  if (value & ~kMxcsrMask) return core.raise(GP, 0);
  core.s.fpu.mxcsr = value;
  return true;
}

}  // namespace

bool fxsave(Core& core, const Op& op) { return save(core, op, false); }
bool fxsave64(Core& core, const Op& op) { return save(core, op, true); }
bool fxrstor(Core& core, const Op& op) { return restore(core, op, false); }
bool fxrstor64(Core& core, const Op& op) { return restore(core, op, true); }

bool ldmxcsr(Core& core, const Op& op) { return sse_ready(core) && load_control(core, op); }
bool stmxcsr(Core& core, const Op& op) { return sse_ready(core) && write_ram(core, op, &core.s.fpu.mxcsr, 4); }
bool vldmxcsr(Core& core, const Op& op) { return avx_ready(core) && load_control(core, op); }
bool vstmxcsr(Core& core, const Op& op) { return avx_ready(core) && write_ram(core, op, &core.s.fpu.mxcsr, 4); }

}  // namespace mock::cpu
