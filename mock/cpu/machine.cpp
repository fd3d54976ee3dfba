// Instructions that ask about the machine or the host rather than compute: HLT, CPUID, RDTSC(P), RDPID, RDPMC, RDRAND,
// RDSEED, MONITOR/MWAIT, VMCALL/VMMCALL, INVLPG, INVPCID, cache control, SVM. Behaviour under kvm_amd
// (arch/x86/kvm/svm/svm.c), else APM vol. 3.
#include "mock/cpu/block.hpp"
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/system_ops.hpp"
#include "mock/cpu/xstate.hpp"

namespace mock::cpu {
namespace {

bool may_read_tsc(Core& core) { return core.s.cpl && (core.s.cr4 & CR4_TSD) ? core.raise(GP, 0) : true; }

void set_edx_eax(Core& core, u64 value) {
  core.s.gpr[RAX] = static_cast<u32>(value);
  core.s.gpr[RDX] = value >> 32;
}

bool random(Core& core, const Op& op) {
  core.set_register(op.slot[0], op.size_bytes(), core.bus.random());
  core.set_arith_flags(CF);
  return true;
}

constexpr u32 kCompactedForms = 0xa;  // XSAVEC, XSAVES in CPUID 0Dh.1 EAX

// The bits that mirror CPU state.
void patch_cpuid(Core& core, u32 leaf, u32 subleaf, Bus::CpuidResult& r) {
  const auto set = [](u32& word, u32 bit, bool value) { word = (word & ~(1u << bit)) | (value ? 1u << bit : 0); };
  if (leaf == 1) set(r.ecx, 27, core.s.cr4 & CR4_OSXSAVE);
  if (leaf == 7 && subleaf == 0) set(r.ecx, 4, core.s.cr4 & CR4_PKE);
  if (leaf == 0xd && subleaf == 1 && (r.eax & kCompactedForms)) r.ebx = xsave_bytes(core.s.fpu.xcr0, true);
  if (leaf == 0xd && subleaf == 0 && r.eax) r.ebx = xsave_bytes(core.s.fpu.xcr0, false);
}

bool monitor_or_mwait(Core& core, u32 known_extensions) {
  if (core.s.cpl) return core.raise(UD);
  if (!core.features.monitor && !core.bus.has_quirk(Bus::Quirk::mwait_never_ud)) return core.raise(UD);
  return static_cast<u32>(core.s.gpr[RCX]) & ~known_extensions ? core.raise(GP, 0) : true;
}

constexpr u8 kVmmcallBytes[3] = {0x0f, 0x01, 0xd9};

}  // namespace

bool hlt(Core& core, const Op&) {
  if (core.s.cpl) return core.raise(GP, 0);
  return core.stop_after(Stop::hlt);
}

bool cpuid(Core& core, const Op&) {
  const u32 leaf = static_cast<u32>(core.s.gpr[RAX]), subleaf = static_cast<u32>(core.s.gpr[RCX]);
  Bus::CpuidResult r = core.bus.cpuid(leaf, subleaf);
  patch_cpuid(core, leaf, subleaf, r);
  core.s.gpr[RAX] = r.eax;
  core.s.gpr[RBX] = r.ebx;
  core.s.gpr[RCX] = r.ecx;
  core.s.gpr[RDX] = r.edx;
  return core.is_intercepted = true;
}

bool rdtsc(Core& core, const Op&) {
  if (!may_read_tsc(core)) return false;
  set_edx_eax(core, core.bus.read_tsc() + core.s.tsc_offset);
  return true;
}

bool rdtscp(Core& core, const Op&) {
  if (!may_read_tsc(core)) return false;
  set_edx_eax(core, core.bus.read_tsc() + core.s.tsc_offset);
  core.s.gpr[RCX] = static_cast<u32>(core.s.tsc_aux);
  return true;
}

bool rdpid(Core& core, const Op& op) {
  core.set_register(op.slot[0], core.is_64bit() ? 8 : 4, static_cast<u32>(core.s.tsc_aux));
  return true;
}

// A guest without a PMU has no counter to read: every index is #GP(0) (kvm_emulate_rdpmc).
bool rdpmc(Core& core, const Op&) { return core.raise(GP, 0); }

bool rdrand(Core& core, const Op& op) { return random(core, op); }
bool rdseed(Core& core, const Op& op) { return random(core, op); }

// Both do nothing but check (kvm_emulate_monitor_mwait()). ECX: extensions; MWAIT knows "interrupts end it".
bool monitor(Core& core, const Op&) { return monitor_or_mwait(core, 0); }
bool mwait(Core& core, const Op&) { return monitor_or_mwait(core, 1); }

bool vmmcall(Core& core, const Op&) { return core.features.is_amd ? core.stop_hypercall() : core.raise(UD); }

// The other vendor's instruction is rewritten to the right one and executed again (KVM_X86_QUIRK_FIX_HYPERCALL_INSN).
bool vmcall(Core& core, const Op& op) {
  if (!core.features.is_amd) return core.stop_hypercall();
  if (!core.bus.has_quirk(Bus::Quirk::fix_hypercall_insn)) return core.raise(UD);
  const u64 rip = core.rip_of(op);
  const u64 address = core.is_64bit() ? rip : static_cast<u32>(core.s.seg[CS].base + rip);
  if (!core.write_linear(address, kVmmcallBytes, sizeof kVmmcallBytes)) return false;
  core.s.rip = rip;
  return true;
}

bool invlpg(Core& core, const Op& op) {
  if (core.s.cpl) return core.raise(GP, 0);
  const u64 offset = core.effective_address(op);
  const bool uses_base = !core.is_64bit() || op.segment() == FS || op.segment() == GS;
  const u64 address = offset + (uses_base ? core.s.seg[op.segment()].base : 0);
  core.flush_page(core.is_64bit() ? address : static_cast<u32>(address));
  return true;
}

bool invpcid(Core& core, const Op& op) {
  if (core.is_v86()) return core.raise(UD);
  if (core.s.cpl) return core.raise(GP, 0);
  struct {
    u64 pcid, address;
  } descriptor;
  const u64 type = core.register_value(op.slot[0], core.is_64bit() ? 8 : 4);
  if (!core.read(op.segment(), core.effective_address(op), descriptor)) return false;
  const bool has_pcid = core.s.cr4 & CR4_PCIDE;
  if (type > 3 || descriptor.pcid >> 12) return core.raise(GP, 0);
  if (type < 2 && !has_pcid && descriptor.pcid) return core.raise(GP, 0);
  if (type == 0 && !page_walk::is_canonical(descriptor.address, core.s.cr4 & CR4_LA57)) return core.raise(GP, 0);
  core.flush_tlb(false);
  return true;
}

bool wbinvd(Core& core, const Op&) {
  if (core.s.cpl) return core.raise(GP, 0);
  return core.is_intercepted = true;
}

// VMRUN, VMLOAD, VMSAVE, STGI, CLGI, INVLPGA, SKINIT: no nested virtualisation, so EFER.SVME is 0.
bool svm_instruction(Core& core, const Op&) { return core.raise(UD); }

}  // namespace mock::cpu
