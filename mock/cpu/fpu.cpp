// See fpu.hpp.
#include "mock/cpu/fpu.hpp"

#include "mock/cpu/memory.hpp"

namespace mock::cpu {

void store_x87(const FpuState& fpu, FxArea& area) {
  area.fcw = fpu.fcw;
  area.fsw = fpu.fsw;
  area.ftw = fpu.ftw;
  area.fop = fpu.last_opcode;
  area.fip = fpu.last_ip;
  area.fdp = fpu.last_dp;
  for (unsigned i = 0; i < 8; ++i) area.st[i] = fpu.st[(x87_top(fpu) + i) & 7];
}

void load_x87(FpuState& fpu, const FxArea& area) {
  fpu.fcw = area.fcw;
  fpu.fsw = area.fsw;
  fpu.ftw = area.ftw;
  fpu.last_opcode = area.fop;
  fpu.last_ip = area.fip;
  fpu.last_dp = area.fdp;
  for (unsigned i = 0; i < 8; ++i) {
    auto& reg = fpu.st[(x87_top(fpu) + i) & 7];
    reg = {area.st[i][0], area.st[i][1] & 0xffff};
  }
}

// DEVIATION: with CR0.NE clear a processor freezes until an external interrupt (FERR#, which KVM does not wire) or goes
// on; here it is #MF as with NE set, which is what VMX enforces.
bool x87_ready(Core& core, bool waits) {
  if (core.s.cr0 & (CR0_EM | CR0_TS)) return core.raise(NM);
  if (waits && (core.s.fpu.fsw & kFswSummary)) return core.raise(MF);
  return true;
}

bool mmx_ready(Core& core) {
  if (core.s.cr0 & CR0_EM) return core.raise(UD);
  return x87_ready(core, true);
}

bool sse_ready(Core& core) {
  if ((core.s.cr0 & CR0_EM) || !(core.s.cr4 & CR4_OSFXSR)) return core.raise(UD);
  return core.s.cr0 & CR0_TS ? core.raise(NM) : true;
}

bool avx_ready(Core& core) {
  constexpr u64 kState = 6;  // SSE and AVX
  const bool enabled = (core.s.cr4 & CR4_OSXSAVE) && (core.s.fpu.xcr0 & kState) == kState;
  if (!enabled || !core.is_protected() || core.is_v86()) return core.raise(UD);
  return core.s.cr0 & CR0_TS ? core.raise(NM) : true;
}

void update_summary(FpuState& fpu) {
  const bool pending = fpu.fsw & ~fpu.fcw & kFswExceptions;
  fpu.fsw = static_cast<u16>((fpu.fsw & ~(kFswSummary | kFswBusy)) | (pending ? kFswSummary | kFswBusy : 0));
}

bool is_ram(Core& core, u64 linear, unsigned size, Access access) {
  for (const u64 address : {linear, linear + size - 1}) {
    Location location;
    if (!locate(core, address & core.linear_mask, access, core.privilege, location)) return false;
    if (!location.host) return core.stop(Stop::emulation_failure);
  }
  return true;
}

bool read_ram(Core& core, const Op& op, void* data, unsigned size) {
  u64 linear;
  return core.linear(op.segment(), core.effective_address(op), size, Access::read, linear) &&
         is_ram(core, linear, size, Access::read) && core.read_linear(linear, data, size);
}

bool write_ram(Core& core, const Op& op, const void* data, unsigned size) {
  u64 linear;
  return core.linear(op.segment(), core.effective_address(op), size, Access::write, linear) &&
         is_ram(core, linear, size, Access::write) && core.write_linear(linear, data, size);
}

}  // namespace mock::cpu
