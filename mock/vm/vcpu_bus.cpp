// What the CPU sees: memory through the slots, ports and device memory (in-kernel devices first, else user space),
// MSRs.
#include <shared_mutex>

#include "mock/vm/irqchip.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

cpu::Page Vcpu::page(Gpa page_address, Access access) {
  const u64 number = page_address.value / kPageSize;
  MemorySlots& slots = vm_.slots();
  std::shared_lock lock(slots.mutex());
  Slot* slot = slots.space(state().in_smm ? 1 : 0).find(number);
  if (!slot) return {};
  const bool writes = access == Access::write;
  if (writes && slot->is_readonly() && !vm_.has_defect(Defect::readonly_slot_takes_writes)) return {};
  u8* host = reinterpret_cast<u8*>(slot->host_page(number));
  if (writes ? !is_writable(host) : !is_readable(host)) {
    if (vm_.has_defect(Defect::missing_page_is_mmio)) return {};
    return {.kind = cpu::Page::Kind::absent, .host = nullptr};
  }
  if (writes && slot->mark_dirty(number) && dirty_ring_.exists()) {
    dirty_ring_.push(slot->address_space << 16 | slot->id, number - slot->base_page);
    if (dirty_ring_.is_soft_full()) state().attention.fetch_or(kAttentionStop);
  }
  return {.kind = cpu::Page::Kind::ram, .host = host};
}

Reply Vcpu::port_in(u16 port, unsigned size, void* data) {
  return vm_.irqchip() && vm_.irqchip()->port_in(port, size, data) ? Reply::done : Reply::exit;
}

Reply Vcpu::port_out(u16 port, unsigned size, const void* data) {
  Irqchip* const chips = vm_.irqchip();
  if (chips && chips->port_out(port, size, data)) return Reply::done;
  return vm_.io_bus().write(IoSpace::port, port, size, data, coalesced_ring()) ? Reply::done : Reply::exit;
}

Reply Vcpu::mmio_read(Gpa address, unsigned size, void* data) {
  if (lapic_)
    if (auto reply = lapic_read(address, size, data)) return *reply;
  return vm_.irqchip() && vm_.irqchip()->mmio_read(address.value, size, data) ? Reply::done : Reply::exit;
}

Reply Vcpu::mmio_write(Gpa address, unsigned size, const void* data) {
  if (lapic_)
    if (auto reply = lapic_write(address, size, data)) return *reply;
  if (vm_.irqchip() && vm_.irqchip()->mmio_write(address.value, size, data)) return Reply::done;
  return vm_.io_bus().write(IoSpace::memory, address.value, size, data, coalesced_ring()) ? Reply::done : Reply::exit;
}

Reply Vcpu::read_msr(u32 index, u64& value) {
  return get_msr(index, value, false) ? Reply::done : refused_msr(index, false);
}

Reply Vcpu::write_msr(u32 index, u64 value) {
  if (set_msr(index, value, false)) return pending_eoi_ ? Reply::exit : Reply::done;
  return refused_msr(index, true);
}

Reply Vcpu::allow_msr(u32 index, bool is_write) {
  return vm_.allows_msr(index, is_write) ? Reply::done : refused_msr(index, is_write);
}

Reply Vcpu::refused_msr(u32 index, bool is_write) {
  return msr_exit_reason_for(index, is_write) ? Reply::exit : Reply::fault;
}

u64 Vcpu::read_tsc() { return __builtin_ia32_rdtsc(); }

u64 Vcpu::random() { return random_.next(); }

bool Vcpu::has_quirk(Quirk which) {
  return vm_.has_quirk(which == Quirk::mwait_never_ud ? kX86QuirkMwaitNeverUdFaults : kX86QuirkFixHypercallInsn);
}

Reply Vcpu::write_cr8(u8 value) {
  const u8 before = current_cr8();
  set_cr8(value);
  // Only a decrease may let an interrupt through, so only that one tells user space.
  return !has_lapic() && value < before ? Reply::exit : Reply::done;
}

u8 Vcpu::read_cr8() { return current_cr8(); }

}  // namespace mock::vm
