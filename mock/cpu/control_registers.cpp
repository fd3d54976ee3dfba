// MOV CRn, CLTS, LMSW, SMSW, XGETBV, XSETBV; see control.hpp. Under kvm_amd most of these are intercepted, so the order
// of checks is that of kvm_set_cr0/cr4 (arch/x86/kvm/x86.c) where the manuals leave it open.
#include "mock/cpu/control.hpp"
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/system_ops.hpp"
#include "mock/cpu/xstate.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kPagingCr0 = CR0_PG | CR0_WP;
constexpr u64 kPagingCr4 = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_LA57 | CR4_PCIDE;

bool is_pae_legacy(u64 cr0, u64 cr4, u64 efer) { return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA); }

// Intel loads PDPTEs when paging changes under PAE; AMD with nested paging reads them on each walk.
bool load_pdptes(Core& core, u64 cr3) {
  if (core.features.is_amd) return true;
  const page_walk::Limits limits{.physical_bits = core.features.physical_bits, .is_amd = false};
  return page_walk::read_pdptes(limits, core.bus, cr3, core.s.pdptr) || core.raise(GP, 0);
}

// CR0.PG is about to become 1.
bool may_enable_paging(const Core& core) {
  const State& s = core.s;
  if (!(s.efer & EFER_LME)) return true;
  return (s.cr4 & CR4_PAE) && !s.seg[CS].l();
}

// CR0.PG is about to become 0.
bool may_disable_paging(const Core& core) { return !core.is_64bit() && !(core.s.cr4 & CR4_PCIDE); }

}  // namespace

bool set_cr0(Core& core, u64 value) {
  State& s = core.s;
  if (value >> 32) return core.raise(GP, 0);
  value = (value & kCr0Defined) | CR0_ET;
  if ((value & CR0_NW) && !(value & CR0_CD)) return core.raise(GP, 0);
  if ((value & CR0_PG) && !(value & CR0_PE)) return core.raise(GP, 0);
  const u64 changed = value ^ s.cr0;
  if (changed & CR0_PG) {
    if (value & CR0_PG ? !may_enable_paging(core) : !may_disable_paging(core)) return core.raise(GP, 0);
  }
  u64 efer = s.efer;
  if (changed & CR0_PG) efer = (value & CR0_PG) && (efer & EFER_LME) ? efer | EFER_LMA : efer & ~u64{EFER_LMA};
  if ((changed & CR0_PG) && is_pae_legacy(value, s.cr4, efer) && !load_pdptes(core, s.cr3)) return false;
  s.cr0 = value;
  s.efer = efer;
  if (changed & kPagingCr0) core.flush_tlb(false);
  core.mode_changed();
  return true;
}

bool set_cr3(Core& core, u64 value) {
  State& s = core.s;
  const bool has_pcid = s.cr4 & CR4_PCIDE;
  const bool is_long = core.is_long();
  if (has_pcid && is_long) value &= ~(u64{1} << 63);  // "do not flush": a hint; flushing is always allowed
  if (is_long && value >> core.features.physical_bits) return core.raise(GP, 0);
  if (is_pae_legacy(s.cr0, s.cr4, s.efer) && !load_pdptes(core, value)) return false;
  s.cr3 = value;
  core.flush_tlb(true);
  return true;
}

bool set_cr4(Core& core, u64 value) {
  State& s = core.s;
  if (value & ~core.features.cr4_valid) return core.raise(GP, 0);
  const u64 changed = value ^ s.cr4;
  if (core.is_long()) {
    if (!(value & CR4_PAE) || (changed & CR4_LA57)) return core.raise(GP, 0);
  }
  if (changed & value & CR4_PCIDE) {
    if (!core.is_long() || (s.cr3 & 0xfff)) return core.raise(GP, 0);
  }
  const u64 old = s.cr4;
  s.cr4 = value;
  if ((changed & (CR4_PAE | CR4_PSE | CR4_PGE)) && is_pae_legacy(s.cr0, value, s.efer) && !load_pdptes(core, s.cr3)) {
    s.cr4 = old;
    return false;
  }
  if (changed & kPagingCr4) core.flush_tlb(false);
  core.mode_changed();
  return true;
}

bool set_efer(Core& core, u64 value) {
  State& s = core.s;
  if (value & ~core.features.efer_valid) return core.raise(GP, 0);
  if (((value ^ s.efer) & EFER_LME) && (s.cr0 & CR0_PG)) return core.raise(GP, 0);
  value = (value & ~u64{EFER_LMA}) | (s.efer & EFER_LMA);
  const u64 changed = value ^ s.efer;
  s.efer = value;
  if (changed & EFER_NX) core.flush_tlb(false);
  core.mode_changed();
  return true;
}

bool set_xcr0(Core& core, u64 value) {
  constexpr u64 kX87 = 1, kSse = 2, kAvx = 4, kBnd = 0x18, kAvx512 = 0xe0;
  const bool ok = (value & kX87) && (!(value & kAvx) || (value & kSse)) && !(value & ~core.features.xcr0_valid) &&
                  ((value & kBnd) == 0 || (value & kBnd) == kBnd) &&
                  ((value & kAvx512) == 0 || ((value & kAvx512) == kAvx512 && (value & kAvx)));
  if (!ok) return core.raise(GP, 0);
  core.s.fpu.xcr0 = value;
  core.mode_changed();
  return true;
}

bool mov_to_cr(Core& core, const Op& op) {
  const u8 number = op.slot[0];
  if (number > 4 && number != 8) return core.raise(UD);
  if (core.s.cpl) return core.raise(GP, 0);
  const u64 value = core.register_value(op.slot[1], core.is_64bit() ? 8 : 4);
  switch (number) {
    case 0:
      return set_cr0(core, value);
    case 2:
      core.s.cr2 = value;
      return true;
    case 3:
      return set_cr3(core, value);
    case 4:
      return set_cr4(core, value);
    case 8:
      if (value > 15) return core.raise(GP, 0);
      if (core.bus.write_cr8(static_cast<u8>(value)) == Reply::exit) return core.stop_after(Stop::set_tpr);
      return true;
    default:
      return core.raise(UD);
  }
}

bool mov_from_cr(Core& core, const Op& op) {
  const u8 number = op.slot[1];
  if (number > 4 && number != 8) return core.raise(UD);
  if (core.s.cpl) return core.raise(GP, 0);
  u64 value = 0;
  switch (number) {
    case 0:
      value = core.s.cr0;
      break;
    case 2:
      value = core.s.cr2;
      break;
    case 3:
      value = core.s.cr3;
      break;
    case 4:
      value = core.s.cr4;
      break;
    case 8:
      value = core.bus.read_cr8();
      break;
    default:
      return core.raise(UD);
  }
  core.set_register(op.slot[0], core.is_64bit() ? 8 : 4, value);
  return true;
}

bool clts(Core& core, const Op&) {
  if (core.s.cpl) return core.raise(GP, 0);
  core.s.cr0 &= ~u64{CR0_TS};
  core.mode_changed();
  return true;
}

// Bits 0-3; PE can be set but not cleared.
bool lmsw(Core& core, const Op& op) {
  u64 value;
  if (core.s.cpl) return core.raise(GP, 0);
  if (!core.read_operand(op, 0, 2, value)) return false;
  return set_cr0(core, (core.s.cr0 & ~u64{CR0_MP | CR0_EM | CR0_TS}) | (value & 0xf));
}

bool smsw(Core& core, const Op& op) {
  if (core.s.cpl && (core.s.cr4 & CR4_UMIP)) return core.raise(GP, 0);
  return core.write_operand(op, 0, op.is_memory(0) ? 2 : op.size_bytes(), core.s.cr0);
}

bool xgetbv(Core& core, const Op&) {
  if (!(core.s.cr4 & CR4_OSXSAVE)) return core.raise(UD);
  const u32 index = static_cast<u32>(core.s.gpr[RCX]);
  if (index > (core.features.xgetbv1 ? 1u : 0u)) return core.raise(GP, 0);
  u64 value = core.s.fpu.xcr0;
  if (index) value &= components_in_use(core.s.fpu) | (core.s.fpu.mxcsr != kMxcsrAtReset ? kXstateSse : 0);
  core.s.gpr[RAX] = static_cast<u32>(value);
  core.s.gpr[RDX] = value >> 32;
  return true;
}

bool xsetbv(Core& core, const Op&) {
  if (!(core.s.cr4 & CR4_OSXSAVE)) return core.raise(UD);
  if (core.s.cpl || static_cast<u32>(core.s.gpr[RCX]) != 0) return core.raise(GP, 0);
  core.is_intercepted = true;
  return set_xcr0(core, static_cast<u32>(core.s.gpr[RAX]) | core.s.gpr[RDX] << 32);
}

}  // namespace mock::cpu
