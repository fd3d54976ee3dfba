// Hardware task switching; see task.hpp. Step numbers in SDM vol. 3 7.3.
#include "mock/cpu/task.hpp"

#include "mock/cpu/exceptions.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_stack.hpp"

namespace mock::cpu {
namespace {

constexpr SegReg kTssOrder[] = {ES, CS, SS, DS, FS, GS};  // FS and GS are absent in a 16-bit TSS

// The fields of a TSS that a switch saves or loads (SDM vol. 3 figures 7-2 and 7-10).
struct TssImage {
  u32 cr3 = 0;
  u32 eip = 0, eflags = 0;
  std::array<u32, 8> gpr{};
  std::array<u16, 6> seg{};  // in kTssOrder
  u16 ldt = 0;
  bool debug_trap = false;
};

bool is_tss32(u8 type) { return type & 8; }

bool read_tss(Core& core, u64 base, bool is_32, TssImage& tss) {
  if (is_32) {
    std::array<u32, 26> raw;
    for (unsigned i = 0; i < raw.size(); ++i) {
      if (!core.read_system(base + i * 4, raw[i])) return false;
    }
    tss.cr3 = raw[7], tss.eip = raw[8], tss.eflags = raw[9];
    for (unsigned i = 0; i < 8; ++i) tss.gpr[i] = raw[10 + i];
    for (unsigned i = 0; i < 6; ++i) tss.seg[i] = static_cast<u16>(raw[18 + i]);
    tss.ldt = static_cast<u16>(raw[24]);
    tss.debug_trap = raw[25] & 1;
    return true;
  }
  std::array<u16, 22> raw;
  for (unsigned i = 0; i < raw.size(); ++i) {
    if (!core.read_system(base + i * 2, raw[i])) return false;
  }
  tss.eip = raw[7], tss.eflags = raw[8];
  for (unsigned i = 0; i < 8; ++i) tss.gpr[i] = 0xffff0000u | raw[9 + i];
  for (unsigned i = 0; i < 4; ++i) tss.seg[i] = raw[17 + i];
  tss.ldt = raw[21];
  return true;
}

bool save_tss(Core& core, u64 base, bool is_32, u32 eflags) {
  const State& s = core.s;
  const u64 first = base + (is_32 ? 32 : 14);
  const unsigned step = is_32 ? 4 : 2;
  unsigned n = 0;
  const auto put = [&](u64 value) {
    const u64 address = first + step * n++;
    return is_32 ? core.write_system(address, static_cast<u32>(value))
                 : core.write_system(address, static_cast<u16>(value));
  };
  if (!put(s.rip) || !put(eflags)) return false;
  for (unsigned i = 0; i < 8; ++i) {
    if (!put(s.gpr[i])) return false;
  }
  for (unsigned i = 0; i < (is_32 ? 6 : 4); ++i) {
    if (!put(s.seg[kTssOrder[i]].selector)) return false;
  }
  return true;
}

u64 gdt_address(const Core& core, Selector selector) { return core.s.gdtr.base + selector.offset(); }

bool set_busy(Core& core, Selector selector, bool busy) {
  u8 type;
  const u64 address = gdt_address(core, selector) + 5;
  if (!core.read_system(address, type)) return false;
  return core.write_system(address, static_cast<u8>(busy ? type | 2 : type & ~2));
}

bool load_ldt(Core& core, Selector selector) {
  if (selector.is_null()) {
    core.s.ldtr = null_segment(selector.value, 0);
    return true;
  }
  if (selector.is_local()) return core.raise(TS, selector.error_code());
  Descriptor d;
  if (!read_descriptor(core, selector, TS, d)) return false;
  if (d.is_code_or_data() || d.type() != kLdt || !d.present()) return core.raise(TS, selector.error_code());
  core.s.ldtr = segment_of(selector, d);
  return true;
}

bool load_code(Core& core, Selector selector) {
  const u32 error = selector.error_code();
  Descriptor d;
  if (selector.is_null()) return core.raise(TS, error);
  if (!read_descriptor(core, selector, TS, d)) return false;
  const bool fits = d.is_conforming() ? d.dpl() <= selector.rpl() : d.dpl() == selector.rpl();
  if (!d.is_code() || !fits) return core.raise(TS, error);
  if (!d.present()) return core.raise(NP, error);
  if (!set_accessed(core, selector, d)) return false;
  core.s.seg[CS] = segment_of(selector, d);
  return true;
}

bool load_data(Core& core, SegReg reg, Selector selector) {
  if (selector.is_null()) {
    core.s.seg[reg] = null_segment(selector.value, 0);
    return true;
  }
  const u32 error = selector.error_code();
  Descriptor d;
  if (!read_descriptor(core, selector, TS, d)) return false;
  const bool is_conforming_code = d.is_code() && d.is_conforming();
  const bool fits = is_conforming_code || (d.dpl() >= core.s.cpl && d.dpl() >= selector.rpl());
  if (!d.is_readable() || !fits) return core.raise(TS, error);
  if (!d.present()) return core.raise(NP, error);
  if (!set_accessed(core, selector, d)) return false;
  core.s.seg[reg] = segment_of(selector, d);
  return true;
}

// The new task's segments; from here on faults belong to the new task.
bool load_segments(Core& core, const TssImage& tss) {
  State& s = core.s;
  // Selectors first, without descriptors: a handler sees what the TSS said even if a load fails.
  for (unsigned i = 0; i < 6; ++i) s.seg[kTssOrder[i]] = null_segment(tss.seg[i], 0);
  s.ldtr = null_segment(tss.ldt, 0);
  s.cpl = tss.eflags & VM ? 3 : tss.seg[1] & 3;
  core.set_rflags(tss.eflags | kFlagsFixedOne);
  core.mode_changed();
  if (!load_ldt(core, {tss.ldt})) return false;
  if (tss.eflags & VM) {
    for (unsigned i = 0; i < 6; ++i) s.seg[kTssOrder[i]] = vm86_segment(tss.seg[i]);
    core.mode_changed();
    return true;
  }
  if (!load_code(core, {tss.seg[1]})) return false;
  if (!check_stack_segment(core, {tss.seg[2]}, s.cpl, TS, s.seg[SS])) return false;
  for (const unsigned i : {0u, 3u, 4u, 5u}) {
    if (!load_data(core, kTssOrder[i], {tss.seg[i]})) return false;
  }
  core.mode_changed();
  if (s.rip > s.seg[CS].limit_bytes) return core.raise(GP, 0);
  return true;
}

// The checks of the incoming TSS descriptor (step 1-3).
bool check_tss(Core& core, Selector selector, TaskSwitch reason, Descriptor& d) {
  const Vector vector = reason == TaskSwitch::iret ? TS : GP;
  const u32 error = selector.error_code();
  if (selector.is_null() || selector.is_local()) return core.raise(vector, error);
  if (!read_descriptor(core, selector, vector, d)) return false;
  const u8 wanted = reason == TaskSwitch::iret ? kTss16Busy : kTss16Available;
  if (d.is_code_or_data() || (d.type() & ~8) != wanted) return core.raise(vector, error);
  if (!d.present()) return core.raise(NP, error);
  if (d.limit_bytes() < (is_tss32(d.type()) ? 0x67u : 0x2bu)) return core.raise(TS, error);
  return true;
}

bool push_error_code(Core& core, const u32* error_code, unsigned size) {
  if (!error_code) return true;
  SystemStack stack = SystemStack::current(core);
  if (!stack.push(*error_code, size)) return false;
  stack.commit();
  return true;
}

}  // namespace

bool switch_task(Core& core, Selector selector, TaskSwitch reason, const u32* error_code) {
  State& s = core.s;
  Descriptor d;
  TssImage tss;
  if (!check_tss(core, selector, reason, d)) return false;
  const bool is_32 = is_tss32(d.type());
  if (!read_tss(core, d.base(), is_32, tss)) return false;

  const bool nests = reason == TaskSwitch::call || reason == TaskSwitch::event;
  u32 old_flags = static_cast<u32>(core.rflags());
  if (reason == TaskSwitch::iret) old_flags &= ~u32{NT};
  if (!save_tss(core, s.tr.base, is_tss32(s.tr.type()), old_flags)) return false;
  if (!nests && !set_busy(core, {s.tr.selector}, false)) return false;
  if (nests && !core.write_system(d.base(), s.tr.selector)) return false;
  if (reason != TaskSwitch::iret && !set_busy(core, selector, true)) return false;

  if (nests) tss.eflags |= NT;
  d.raw |= u64{2} << 40;  // the cached TR is busy
  s.tr = segment_of(selector, d);
  s.cr0 |= CR0_TS;
  if (is_32 && (s.cr0 & CR0_PG)) {
    s.cr3 = tss.cr3;
    core.flush_tlb(true);
  }
  s.dr7 &= ~u64{0x155};  // local breakpoints and LE
  s.rip = tss.eip;
  for (unsigned i = 0; i < 8; ++i) s.gpr[i] = tss.gpr[i];
  // The switch has happened: a fault from here on is taken by the new task, before its first instruction.
  if (!load_segments(core, tss) || !push_error_code(core, error_code, is_32 ? 4 : 2)) {
    if (core.fault.is_stop) return false;
    const Event event = core.fault.event;
    return deliver(core, event);
  }
  if (tss.debug_trap) {
    s.event = {.kind = Event::Kind::exception, .vector = DB, .has_payload = true, .payload = u64{1} << 15};
    s.attention.fetch_or(kAttentionInternal);
  }
  return true;
}

}  // namespace mock::cpu
