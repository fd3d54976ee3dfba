// INT n, INT3, INT1, INTO, BOUND, UD0-2, CLI, STI, CLAC, STAC. SDM vol. 2 (their pages), vol. 3 20.3 (virtual-8086
// extensions).
#include "mock/cpu/exceptions.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_ops.hpp"
#include "mock/cpu/system_stack.hpp"

namespace mock::cpu {
namespace {

bool software_interrupt(Core& core, const Op& op, u8 vector) {
  return deliver(core, {.kind = Event::Kind::soft_interrupt, .vector = vector, .instruction_length = op.length});
}

// With CR4.VME, whether the redirection bitmap of the TSS sends INT n to the 8086 program's own handler.
bool is_redirected(Core& core, u8 vector, bool& redirected) {
  const Segment& tr = core.s.tr;
  u16 io_base;
  u8 bits;
  if (!core.read_system(tr.base + 102, io_base)) return false;
  const u64 address = tr.base + io_base - 32u + vector / 8u;
  if (io_base < 32 || io_base - 32u + vector / 8u > tr.limit_bytes) return core.raise(GP, 0);
  if (!core.read_system(address, bits)) return false;
  redirected = !(bits >> (vector % 8) & 1);
  return true;
}

// The interrupt as an 8086 would take it, inside the virtual-8086 task.
bool redirect(Core& core, u8 vector) {
  State& s = core.s;
  u32 entry;
  if (!core.read_system(u64{vector} * 4, entry)) return false;
  u64 image = core.rflags();
  const bool is_virtual = core.iopl() < 3;
  if (is_virtual) image = (image & ~u64{IF}) | IOPL | (image & VIF ? IF : 0u);
  SystemStack stack = SystemStack::current(core);
  if (!stack.push(image, 2) || !stack.push(s.seg[CS].selector, 2) || !stack.push(s.rip, 2)) return false;
  stack.commit();
  s.seg[CS] = vm86_segment(static_cast<u16>(entry >> 16));
  s.rip = entry & 0xffff;
  core.set_rflags(core.rflags() & ~u64{TF | NT | RF} & ~u64{is_virtual ? VIF : IF});
  core.mode_changed();
  return true;
}

// Whether CLI and STI act on VIF instead of IF at privilege 3 (VME, PVI).
bool uses_virtual_if(const Core& core) {
  return core.is_v86() ? core.s.cr4 & CR4_VME : (core.s.cr4 & CR4_PVI) && core.s.cpl == 3;
}

}  // namespace

bool int_n(Core& core, const Op& op) {
  const u8 vector = static_cast<u8>(op.imm);
  if (core.is_v86()) {
    if (core.s.cr4 & CR4_VME) {
      bool redirected = false;
      if (!is_redirected(core, vector, redirected)) return false;
      if (redirected) return redirect(core, vector);
    }
    if (core.iopl() < 3) return core.raise(GP, 0);
  }
  return software_interrupt(core, op, vector);
}

bool int3(Core& core, const Op& op) { return software_interrupt(core, op, BP); }

// A hardware-like #DB: no privilege check on the gate, DR6 untouched.
bool int1(Core& core, const Op&) { return deliver(core, {.kind = Event::Kind::exception, .vector = DB}); }

bool into(Core& core, const Op& op) {
  if (core.is_64bit()) return core.raise(UD);
  return core.rflags() & OF ? software_interrupt(core, op, OF_) : true;
}

bool bound(Core& core, const Op& op) {
  if (core.is_64bit()) return core.raise(UD);
  const unsigned size = op.size_bytes();
  u64 linear, lower = 0, upper = 0;
  if (!core.linear(op.segment(), core.effective_address(op), size * 2, Access::read, linear)) return false;
  if (!core.read_linear(linear, &lower, size) || !core.read_linear(linear + size, &upper, size)) return false;
  const auto extend = [size](u64 value) {
    return size == 2 ? s64{static_cast<s16>(value)} : s64{static_cast<s32>(value)};
  };
  const s64 index = extend(core.register_value(op.slot[0], size));
  return index < extend(lower) || index > extend(upper) ? core.raise(BR) : true;
}

bool cli(Core& core, const Op&) {
  const u64 flags = core.rflags();
  if (core.is_real() || core.s.cpl <= core.iopl()) {
    core.set_rflags(flags & ~u64{IF});
  } else if (uses_virtual_if(core)) {
    core.set_rflags(flags & ~u64{VIF});
  } else {
    return core.raise(GP, 0);
  }
  return true;
}

bool sti(Core& core, const Op&) {
  const u64 flags = core.rflags();
  if (core.is_real() || core.s.cpl <= core.iopl()) {
    if (flags & IF) return true;
    core.s.interrupt_shadow_sti = core.shadow_renewed = true;
    core.set_rflags(flags | IF);
    core.mode_changed();
  } else if (uses_virtual_if(core) && !(flags & VIP)) {
    core.set_rflags(flags | VIF);
  } else {
    return core.raise(GP, 0);
  }
  return true;
}

bool clac(Core& core, const Op&) {
  if (core.s.cpl || core.is_v86()) return core.raise(UD);
  core.set_rflags(core.rflags() & ~u64{AC});
  return true;
}

bool stac(Core& core, const Op&) {
  if (core.s.cpl || core.is_v86()) return core.raise(UD);
  core.set_rflags(core.rflags() | AC);
  return true;
}

}  // namespace mock::cpu
