// See system_stack.hpp.
#include "mock/cpu/system_stack.hpp"

#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/segment.hpp"

namespace mock::cpu {
namespace {

constexpr u64 mask_of(const Segment& ss, bool is_64bit) {
  return is_64bit ? ~u64{0} : ss.db() ? u64{0xffffffff} : u64{0xffff};
}

bool is_tss32(const Segment& tr) { return (tr.type() & 0xd) == kTss32Available; }

}  // namespace

SystemStack SystemStack::current(Core& core) {
  return {core, core.s.seg[SS], core.s.gpr[RSP], core.stack_mask(), false, 0};
}

SystemStack SystemStack::other(Core& core, const Segment& ss, u64 rsp, bool is_64bit, u8 cpl, u32 error_code) {
  return {core, ss, rsp, mask_of(ss, is_64bit), cpl != 3, error_code};
}

bool SystemStack::address(u64 pointer, unsigned size_bytes, u64& linear) {
  if (mask_ == ~u64{0}) {
    linear = pointer;
    const bool la57 = core_.s.cr4 & CR4_LA57;
    if (page_walk::is_canonical(pointer, la57) && page_walk::is_canonical(pointer + size_bytes - 1, la57)) return true;
    return core_.raise(SS_, error_code_);
  }
  const bool checked = !core_.is_real() || !ss_.unusable;
  if (checked && !is_within_limit(ss_, pointer, size_bytes)) return core_.raise(SS_, error_code_);
  linear = ss_.base + pointer;
  if (!core_.is_64bit()) linear &= 0xffffffff;
  return true;
}

bool SystemStack::push(u64 value, unsigned size_bytes) {
  const u64 pointer = (rsp - size_bytes) & mask_;
  u64 linear;
  if (!address(pointer, size_bytes, linear)) return false;
  const bool written = is_implicit_ ? core_.write_supervisor(linear, &value, size_bytes)
                                    : core_.write_linear(linear, &value, size_bytes);
  if (!written) return false;
  set_pointer(pointer);
  return true;
}

bool SystemStack::peek(u64 offset, u64& value, unsigned size_bytes) {
  const u64 pointer = (rsp + offset) & mask_;
  u64 linear;
  value = 0;
  if (!address(pointer, size_bytes, linear)) return false;
  return is_implicit_ ? core_.read_supervisor(linear, &value, size_bytes)
                      : core_.read_linear(linear, &value, size_bytes);
}

bool SystemStack::pop(u64& value, unsigned size_bytes) {
  if (!peek(0, value, size_bytes)) return false;
  drop(size_bytes);
  return true;
}

bool read_inner_stack(Core& core, u8 cpl, Segment& ss, u64& rsp) {
  const Segment& tr = core.s.tr;
  const bool is_32 = is_tss32(tr);
  const u32 offset = is_32 ? 4 + 8 * cpl : 2 + 4 * cpl;
  const u32 last = offset + (is_32 ? 5 : 3);
  if (last > tr.limit_bytes) return core.raise(TS, tr.selector & 0xfffc);
  u16 selector = 0;
  if (is_32) {
    u32 esp = 0;
    if (!core.read_system(tr.base + offset, esp) || !core.read_system(tr.base + offset + 4, selector)) return false;
    rsp = esp;
  } else {
    u16 sp = 0;
    if (!core.read_system(tr.base + offset, sp) || !core.read_system(tr.base + offset + 2, selector)) return false;
    rsp = sp;
  }
  return check_stack_segment(core, {selector}, cpl, TS, ss);
}

bool read_long_stack(Core& core, unsigned slot, u64& rsp) {
  const Segment& tr = core.s.tr;
  const u32 offset = 4 + 8 * slot;
  if (offset + 7 > tr.limit_bytes) return core.raise(TS, tr.selector & 0xfffc);
  if (!core.read_system(tr.base + offset, rsp)) return false;
  if (!page_walk::is_canonical(rsp, core.s.cr4 & CR4_LA57)) return core.raise(SS_, 0);
  return true;
}

}  // namespace mock::cpu
