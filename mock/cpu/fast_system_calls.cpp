// SYSCALL/SYSRET, SYSENTER/SYSEXIT, SWAPGS, RD/WR FS/GS BASE. APM vol. 3 (their pages, with the AMD forms for legacy
// mode); SDM vol. 2. AMD: no SYSENTER in long mode; SYSRET leaves the hidden part of SS alone.
#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

// Flat segments as these instructions make them: attributes as in Segment.
constexpr u16 kCode64 = 0xa9b, kCode32 = 0xc9b, kData = 0xc93;
constexpr u16 kDpl3 = 3 << 5;

Segment flat(u16 selector, u16 attributes) {
  Segment segment;
  segment.base = 0;
  segment.limit_bytes = 0xffffffff;
  segment.selector = selector;
  segment.attributes = attributes;
  return segment;
}

void enter_kernel(Core& core, u16 selector, u64 rip, u16 code) {
  State& s = core.s;
  s.seg[CS] = flat(selector & 0xfffc, code);
  s.seg[SS] = flat(static_cast<u16>((selector & 0xfffc) + 8), kData);
  s.cpl = 0;
  s.rip = rip;
}

// The single-step trap of SYSCALL and SYSRET follows TF as they leave it: a kernel whose mask has TF is not stepped
// into, and a step of the SYSCALL shows up behind the SYSRET.
void step_by_new_tf(Core& core) {
  constexpr u64 kSingleStep = 1u << 14;
  if (!(core.flags & TF)) {
    core.event_delivered = true;
    return;
  }
  core.s.event = {.kind = Event::Kind::exception, .vector = DB, .has_payload = true, .payload = kSingleStep};
  core.s.attention.fetch_or(kAttentionInternal);
}

bool is_canonical(const Core& core, u64 address) { return page_walk::is_canonical(address, core.s.cr4 & CR4_LA57); }

enum class Base : u8 { fs, gs };

Segment& segment_of_base(Core& core, Base which) { return core.s.seg[which == Base::fs ? FS : GS]; }

bool may_access_base(Core& core) { return core.is_64bit() && (core.s.cr4 & CR4_FSGSBASE) ? true : core.raise(UD); }

bool read_base(Core& core, const Op& op, Base which) {
  if (!may_access_base(core)) return false;
  core.set_register(op.slot[0], op.size_bytes(), segment_of_base(core, which).base);
  return true;
}

bool write_base(Core& core, const Op& op, Base which) {
  if (!may_access_base(core)) return false;
  const u64 value = core.register_value(op.slot[0], op.size_bytes());
  if (!is_canonical(core, value)) return core.raise(GP, 0);
  segment_of_base(core, which).base = value;
  core.mode_changed();
  return true;
}

}  // namespace

bool syscall(Core& core, const Op&) {
  State& s = core.s;
  if (!(s.efer & EFER_SCE)) return core.raise(UD);
  const u16 selector = static_cast<u16>(s.star >> 32);
  if (core.is_long()) {
    const u64 flags = core.rflags() & ~u64{RF};
    const u64 target = core.is_64bit() ? s.lstar : s.cstar;
    s.gpr[RCX] = s.rip;
    s.gpr[R11] = flags;
    enter_kernel(core, selector, target, kCode64);
    core.set_rflags(flags & ~s.fmask & ~u64{RF});
  } else {
    if (!core.features.is_amd) return core.raise(UD);
    s.gpr[RCX] = static_cast<u32>(s.rip);
    enter_kernel(core, selector, static_cast<u32>(s.star), kCode32);
    core.set_rflags(core.rflags() & ~u64{VM | IF | RF});
  }
  step_by_new_tf(core);
  core.mode_changed();
  return true;
}

bool sysret(Core& core, const Op& op) {
  State& s = core.s;
  if (!(s.efer & EFER_SCE)) return core.raise(UD);
  if (!core.is_long() && !core.features.is_amd) return core.raise(UD);
  if (!core.is_protected() || s.cpl) return core.raise(GP, 0);
  const bool to_64 = core.is_64bit() && op.size_bytes() == 8;
  const u16 selector = static_cast<u16>(s.star >> 48);
  if (to_64 && !core.features.is_amd && !is_canonical(core, s.gpr[RCX])) return core.raise(GP, 0);
  const bool restores_flags = core.is_long();
  s.seg[CS] = flat(static_cast<u16>((selector + (to_64 ? 16 : 0)) | 3), (to_64 ? kCode64 : kCode32) | kDpl3);
  s.rip = to_64 ? s.gpr[RCX] : static_cast<u32>(s.gpr[RCX]);
  s.cpl = 3;
  if (core.features.is_amd) {
    s.seg[SS].selector = static_cast<u16>(selector + 8);
    s.seg[SS].attributes |= kDpl3;
  } else {
    s.seg[SS] = flat(static_cast<u16>((selector + 8) | 3), kData | kDpl3);
  }
  constexpr u64 kFromR11 = 0x3c7fd7;
  core.set_rflags(restores_flags ? (s.gpr[R11] & kFromR11) | kFlagsFixedOne : core.rflags() | IF);
  step_by_new_tf(core);
  core.mode_changed();
  return true;
}

bool sysenter(Core& core, const Op&) {
  State& s = core.s;
  if (core.is_long() && core.features.is_amd) return core.raise(UD);
  if (core.is_real() || !(s.sysenter_cs & 0xfffc)) return core.raise(GP, 0);
  const bool is_long = core.is_long();
  enter_kernel(core, static_cast<u16>(s.sysenter_cs), is_long ? s.sysenter_eip : static_cast<u32>(s.sysenter_eip),
               is_long ? kCode64 : kCode32);
  s.gpr[RSP] = is_long ? s.sysenter_esp : static_cast<u32>(s.sysenter_esp);
  core.set_rflags(core.rflags() & ~u64{VM | IF});
  core.mode_changed();
  return true;
}

bool sysexit(Core& core, const Op& op) {
  State& s = core.s;
  if (core.is_long() && core.features.is_amd) return core.raise(UD);
  if (core.is_real() || s.cpl || !(s.sysenter_cs & 0xfffc)) return core.raise(GP, 0);
  const bool to_64 = core.is_64bit() && op.size_bytes() == 8;
  if (to_64 && (!is_canonical(core, s.gpr[RCX]) || !is_canonical(core, s.gpr[RDX]))) return core.raise(GP, 0);
  const u16 selector = static_cast<u16>(s.sysenter_cs & 0xfffc);
  s.seg[CS] = flat(static_cast<u16>((selector + (to_64 ? 32 : 16)) | 3), (to_64 ? kCode64 : kCode32) | kDpl3);
  s.seg[SS] = flat(static_cast<u16>((selector + (to_64 ? 40 : 24)) | 3), kData | kDpl3);
  s.gpr[RSP] = to_64 ? s.gpr[RCX] : static_cast<u32>(s.gpr[RCX]);
  s.rip = to_64 ? s.gpr[RDX] : static_cast<u32>(s.gpr[RDX]);
  s.cpl = 3;
  core.mode_changed();
  return true;
}

bool swapgs(Core& core, const Op&) {
  if (!core.is_64bit()) return core.raise(UD);
  if (core.s.cpl) return core.raise(GP, 0);
  std::swap(core.s.seg[GS].base, core.s.kernel_gs_base);
  core.mode_changed();
  return true;
}

bool rdfsbase(Core& core, const Op& op) { return read_base(core, op, Base::fs); }
bool rdgsbase(Core& core, const Op& op) { return read_base(core, op, Base::gs); }
bool wrfsbase(Core& core, const Op& op) { return write_base(core, op, Base::fs); }
bool wrgsbase(Core& core, const Op& op) { return write_base(core, op, Base::gs); }

}  // namespace mock::cpu
