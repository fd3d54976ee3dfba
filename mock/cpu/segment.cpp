// Segment register loads; see segment.hpp.
#include "mock/cpu/segment.hpp"

namespace mock::cpu {
namespace {

bool load_stack(Core& core, Selector selector) {
  State& s = core.s;
  if (selector.is_null()) {
    if (!core.is_64bit() || s.cpl == 3 || selector.rpl() != s.cpl) return core.raise(GP, 0);
    s.seg[SS] = null_segment(selector.value, 0);
    s.seg[SS].attributes = static_cast<u16>(s.cpl << 5);
    return true;
  }
  Segment segment;
  if (!check_stack_segment(core, selector, s.cpl, GP, segment)) return false;
  s.seg[SS] = segment;
  return true;
}

bool load_data(Core& core, SegReg reg, Selector selector) {
  State& s = core.s;
  if (selector.is_null()) {
    s.seg[reg] = null_segment(selector.value, 0);
    return true;
  }
  Descriptor d;
  if (!read_descriptor(core, selector, GP, d)) return false;
  if (!d.is_readable()) return core.raise(GP, selector.error_code());
  const bool is_conforming_code = d.is_code() && d.is_conforming();
  if (!is_conforming_code && (selector.rpl() > d.dpl() || s.cpl > d.dpl()))
    return core.raise(GP, selector.error_code());
  if (!d.present()) return core.raise(NP, selector.error_code());
  if (!set_accessed(core, selector, d)) return false;
  s.seg[reg] = segment_of(selector, d);
  return true;
}

}  // namespace

bool find_descriptor(const Core& core, Selector selector, unsigned size, u64& address) {
  if (selector.is_local()) {
    if (core.s.ldtr.unusable || !(core.s.ldtr.selector & 0xfffc)) return false;
    if (u32{selector.offset()} + size - 1 > core.s.ldtr.limit_bytes) return false;
    address = core.s.ldtr.base + selector.offset();
    return true;
  }
  if (u32{selector.offset()} + size - 1 > core.s.gdtr.limit) return false;
  address = core.s.gdtr.base + selector.offset();
  return true;
}

bool read_descriptor(Core& core, Selector selector, Vector vector, Descriptor& descriptor) {
  u64 address;
  if (!find_descriptor(core, selector, 8, address)) return core.raise(vector, selector.error_code());
  descriptor.upper = 0;
  return core.read_system(address, descriptor.raw);
}

bool read_long_descriptor(Core& core, Selector selector, Vector vector, Descriptor& descriptor) {
  u64 address;
  if (!find_descriptor(core, selector, 16, address)) return core.raise(vector, selector.error_code());
  if (!core.read_system(address, descriptor.raw) || !core.read_system(address + 8, descriptor.upper)) return false;
  if (descriptor.upper >> 40 & 0x1f) return core.raise(vector, selector.error_code());
  return true;
}

bool set_accessed(Core& core, Selector selector, Descriptor& descriptor) {
  if (descriptor.is_accessed()) return true;
  u64 address;
  if (!find_descriptor(core, selector, 8, address)) return core.raise(GP, selector.error_code());
  descriptor.raw |= u64{1} << 40;
  return core.write_system(address + 5, static_cast<u8>(descriptor.raw >> 40));
}

Segment real_mode_segment(const Core& core, SegReg reg, u16 selector) {
  Segment segment = core.s.seg[reg];  // limit and rights stay: "unreal mode"
  segment.selector = selector;
  segment.base = u64{selector} << 4;
  if (segment.unusable) {
    segment.unusable = false;
    segment.limit_bytes = 0xffff;
    segment.attributes = kReal16Data;
  }
  return segment;
}

Segment vm86_segment(u16 selector) {
  Segment segment;
  segment.base = u64{selector} << 4;
  segment.limit_bytes = 0xffff;
  segment.selector = selector;
  segment.attributes = kVm86Attributes;
  return segment;
}

bool load_segment(Core& core, SegReg reg, u16 selector) {
  if (core.is_real()) {
    core.s.seg[reg] = real_mode_segment(core, reg, selector);
  } else if (core.is_v86()) {
    core.s.seg[reg] = vm86_segment(selector);
  } else if (!(reg == SS ? load_stack(core, {selector}) : load_data(core, reg, {selector}))) {
    return false;
  }
  core.mode_changed();
  return true;
}

bool check_stack_segment(Core& core, Selector selector, u8 cpl, Vector vector, Segment& segment) {
  if (selector.is_null()) return core.raise(vector, selector.error_code());
  Descriptor d;
  if (!read_descriptor(core, selector, vector, d)) return false;
  if (selector.rpl() != cpl || d.dpl() != cpl || !d.is_writable()) return core.raise(vector, selector.error_code());
  if (!d.present()) return core.raise(SS_, selector.error_code());
  if (!set_accessed(core, selector, d)) return false;
  segment = segment_of(selector, d);
  return true;
}

bool is_within_limit(const Segment& segment, u64 offset, unsigned size) {
  const u64 last = offset + size - 1;
  const bool is_expand_down = segment.is_code_or_data() && (segment.type() & 0xc) == 4;
  if (is_expand_down) return offset > segment.limit_bytes && last <= (segment.db() ? 0xffffffff : 0xffff);
  return last <= segment.limit_bytes;
}

void drop_inner_segments(Core& core, u8 new_cpl) {
  for (const SegReg reg : {ES, DS, FS, GS}) {
    Segment& segment = core.s.seg[reg];
    const bool is_conforming_code = (segment.type() & 0xc) == 0xc;
    if (!segment.unusable && (is_conforming_code || segment.dpl() >= new_cpl)) continue;
    // APM vol. 3 RETF; SDM vol. 2 IRET: the register becomes null, also the RPL of one that was null. In long mode FS
    // and GS keep their bases.
    segment = null_segment(0, core.is_long() && (reg == FS || reg == GS) ? segment.base : 0);
  }
}

}  // namespace mock::cpu
