// MOV/POP/PUSH of segment registers, LDS..LGS, LAR, LSL, VERR, VERW, ARPL. SDM vol. 2 (their pages); APM vol. 3.
#include <cstring>

#include "mock/cpu/memory.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

// SS loads hold off interrupts and debug traps for one instruction (SDM vol. 3 6.8.3).
bool load(Core& core, SegReg reg, u16 selector) {
  if (!load_segment(core, reg, selector)) return false;
  // Of loads in a row only the first does (SDM vol. 3 6.8.3).
  if (reg == SS && !core.s.interrupt_shadow_mov_ss) {
    core.s.interrupt_shadow_mov_ss = core.shadow_renewed = true;
    core.mode_changed();
  }
  return true;
}

void set_zf(Core& core, bool value) {
  core.set_arith_flags((static_cast<u32>(core.rflags()) & kArithFlags & ~u32{ZF}) | (value ? u32{ZF} : 0u));
}

// The descriptor that LAR, LSL, VERR and VERW look at. *visible: these instructions may see it (ZF), beside the type
// rules.
bool inspect(Core& core, const Op& op, unsigned operand, Descriptor& d, bool& visible) {
  u64 value;
  if (core.is_real() || core.is_v86()) return core.raise(UD);
  if (!core.read_operand(op, operand, 2, value)) return false;
  const Selector selector{static_cast<u16>(value)};
  visible = false;
  u64 address;
  if (selector.is_null() || !find_descriptor(core, selector, 8, address)) return true;
  if (!core.read_system(address, d.raw)) return false;
  visible = (d.is_code() && d.is_conforming()) || (d.dpl() >= core.s.cpl && d.dpl() >= selector.rpl());
  return true;
}

constexpr u32 kLarLegacy = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 9 | 1u << 11 | 1u << 12;
constexpr u32 kLarLong = 1u << 2 | 1u << 9 | 1u << 11 | 1u << 12;
constexpr u32 kLslLegacy = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 9 | 1u << 11;
constexpr u32 kLslLong = 1u << 2 | 1u << 9 | 1u << 11;

bool has_type(const Core& core, const Descriptor& d, u32 legacy, u32 in_long_mode) {
  return d.is_code_or_data() || ((core.is_long() ? in_long_mode : legacy) >> d.type() & 1);
}

}  // namespace

bool mov_to_segment(Core& core, const Op& op) {
  if (op.slot[0] == CS || op.slot[0] > GS) return core.raise(UD);
  u64 value;
  return core.read_operand(op, 1, 2, value) && load(core, static_cast<SegReg>(op.slot[0]), static_cast<u16>(value));
}

// QUIRK(kvm, all, em_store_sreg): device memory is written by KVM's emulator, 8 bytes with REX.W, and it reads the
// place of SLDT and STR first.
bool store_selector(Core& core, const Op& op, u16 selector, bool is_read_first) {
  const unsigned size = op.size_bytes();
  if (!op.is_memory(0)) return core.set_register(op.slot[0], size, selector), true;
  u64 address, old;
  Location there;
  if (!core.linear(op.segment(), core.effective_address(op), 2, Access::write, address)) return false;
  if (!locate(core, address, Access::write, core.privilege, there)) return false;
  if (there.host && address % kPageSize == kPageSize - 1 &&
      !locate(core, (address + 1) & core.linear_mask, Access::write, core.privilege, there))
    return false;
  if (there.host) return core.write_linear(address, &selector, 2);
  if (is_read_first && !core.read_linear(address, &old, size)) return false;
  const u64 stored = selector;
  return core.write_linear(address, &stored, size == 8 ? 8 : 2);
}

bool mov_from_segment(Core& core, const Op& op) {
  if (op.slot[1] > GS) return core.raise(UD);
  return store_selector(core, op, core.s.seg[op.slot[1]].selector, false);
}

namespace {

// The slot of a segment register on the stack, from `sp` on. QUIRK(kvm, all, em_push_sreg, em_pop_sreg): KVM's
// emulator, which device memory needs, moves 16 bits of 32.
bool find_stack_slot(Core& core, u64 sp, unsigned& size, Access access, u64& address) {
  Location there;
  if (!core.linear(SS, sp & core.stack_mask(), size, access, address)) return false;
  if (!locate(core, address, access, core.privilege, there)) return false;
  if (!there.host && (size == 4 || access == Access::read)) size = 2;
  return true;
}

u64 stack_pointer(const Core& core, u64 sp) {
  const u64 mask = core.stack_mask();
  return (core.s.gpr[RSP] & ~mask) | (sp & mask);
}

}  // namespace

bool pop_segment(Core& core, const Op& op) {
  const u64 sp = core.s.gpr[RSP];
  unsigned size = op.size_bytes();
  u64 address, value = 0;
  if (!find_stack_slot(core, sp, size, Access::read, address) || !core.read_linear(address, &value, size)) return false;
  const u64 popped = stack_pointer(core, sp + op.size_bytes());  // of the old stack
  if (!load(core, static_cast<SegReg>(op.slot[0]), static_cast<u16>(value))) return false;
  core.s.gpr[RSP] = popped;
  return true;
}

bool push_segment(Core& core, const Op& op) {
  const u64 sp = core.s.gpr[RSP] - op.size_bytes(), value = core.s.seg[op.slot[0]].selector;
  unsigned size = op.size_bytes();
  u64 address;
  if (!find_stack_slot(core, sp, size, Access::write, address) || !core.write_linear(address, &value, size))
    return false;
  core.s.gpr[RSP] = stack_pointer(core, sp);
  return true;
}

template <SegReg reg>
bool load_far_pointer(Core& core, const Op& op) {
  const unsigned size = op.size_bytes();
  u64 linear, offset = 0;
  u16 selector;
  u8 pointer[10];  // read in one piece
  if (!core.linear(op.segment(), core.effective_address(op), size + 2, Access::read, linear)) return false;
  if (!core.read_linear(linear, pointer, size + 2)) return false;
  std::memcpy(&offset, pointer, size);
  std::memcpy(&selector, pointer + size, 2);
  if (!load_segment(core, reg, selector)) return false;
  core.set_register(op.slot[0], size, offset);
  return true;
}
template bool load_far_pointer<ES>(Core&, const Op&);
template bool load_far_pointer<SS>(Core&, const Op&);
template bool load_far_pointer<DS>(Core&, const Op&);
template bool load_far_pointer<FS>(Core&, const Op&);
template bool load_far_pointer<GS>(Core&, const Op&);

bool lar(Core& core, const Op& op) {
  Descriptor d;
  bool visible;
  if (!inspect(core, op, 1, d, visible)) return false;
  visible = visible && has_type(core, d, kLarLegacy, kLarLong);
  if (visible) core.set_register(op.slot[0], op.size_bytes(), d.raw >> 32 & 0x00ffff00);
  set_zf(core, visible);
  return true;
}

bool lsl(Core& core, const Op& op) {
  Descriptor d;
  bool visible;
  if (!inspect(core, op, 1, d, visible)) return false;
  visible = visible && has_type(core, d, kLslLegacy, kLslLong);
  if (visible) core.set_register(op.slot[0], op.size_bytes(), d.limit_bytes());
  set_zf(core, visible);
  return true;
}

bool verr(Core& core, const Op& op) {
  Descriptor d;
  bool visible;
  if (!inspect(core, op, 0, d, visible)) return false;
  set_zf(core, visible && d.is_readable());
  return true;
}

bool verw(Core& core, const Op& op) {
  Descriptor d;
  bool visible;
  if (!inspect(core, op, 0, d, visible)) return false;
  set_zf(core, visible && d.is_writable());
  return true;
}

bool arpl(Core& core, const Op& op) {
  if (core.is_real() || core.is_v86()) return core.raise(UD);
  u64 destination, source;
  if (!core.read_operand(op, 0, 2, destination) || !core.read_operand(op, 1, 2, source)) return false;
  const bool raises = (destination & 3) < (source & 3);
  if (raises && !core.write_operand(op, 0, 2, (destination & ~u64{3}) | (source & 3))) return false;
  set_zf(core, raises);
  return true;
}

}  // namespace mock::cpu
