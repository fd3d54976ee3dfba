// Life cycle of a vcpu and the ioctls that fit nowhere else.
#include "mock/vm/vcpu.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <cerrno>

#include "mock/vm/asymmetric_fence.hpp"
#include "mock/vm/system.hpp"

namespace mock::vm {

Vcpu::Vcpu(Vm& vm, u32 id, u32 index, RunPages pages)
    : vm_(vm),
      id_(id),
      index_(index),
      has_lapic_(vm.has_irqchip()),
      pages_(std::move(pages)),
      run_(reinterpret_cast<kvm_run*>(pages_.address())),
      cpu_(static_cast<cpu::Bus&>(*this)),
      tsc_khz_(vm.config().default_tsc_khz),
      random_(vm.context().random, id) {
  mp_state_ = !has_lapic_ || is_bsp() ? kMpStateRunnable : kMpStateUninitialized;
  apic_base_ = 0xfee00000 | (u64{1} << 11) | (is_bsp() ? u64{1} << 8 : 0);
  if (has_lapic_) {
    lapic_ = std::make_unique<devices::Lapic>(id, is_bsp(), static_cast<devices::Lapic::World&>(*this),
                                              static_cast<devices::Clock&>(*this));
    lapic_->set_base(apic_base_);
    lapic_->set_bus_cycle_ns(vm.config().apic_bus_cycle_ns);
    // The quirk connects the 8259 to the boot processor as a BIOS would leave it.
    if (!vm.has_quirk(kX86QuirkLint0Reenabled)) lapic_->write(devices::kApicLvt0, 0x10000);
  }
  if (const u32 ring = vm.config().dirty_ring_bytes) dirty_ring_.attach(pages_.address() + kDirtyRingOffset, ring);
  set_reset_state();
  state_changed_ = translations_changed_ = true;
}

Vcpu::~Vcpu() = default;

// What kvm_vcpu_reset() and init_vmcb() give beyond the processor's own reset.
void Vcpu::set_reset_state() {
  const kvm_cpuid_entry2* leaf1 = find_cpuid(1, 0);
  // Family/model/stepping 0x600 as long as no CPUID is set; 5.10 has zero there.
  state().gpr[cpu::RDX] = leaf1 ? leaf1->eax : vm_.profile().since(6, 1) ? 0x600 : 0;
  for (cpu::Segment& segment : state().seg) segment.attributes = 0x92;
  state().seg[cpu::CS].attributes = 0x9a;
  state().ldtr.attributes = 0x82;
  state().tr.attributes = 0x83;
}

Result<int> Vcpu::ioctl(u32 request, u64 argument) {
  static const RowIndex<Vcpu> index(rows());
  if (vm_.is_closed()) return err(EIO);
  const BiasedMutex::Lock lock(mutex_);
  if (!lock) return err(EDEADLK);  // from a signal handler inside another call on this vcpu
  return dispatch(index, *this, vm_.context(), FdKind::Vcpu, request, argument, EINVAL);
}

void Vcpu::queue_exception(u8 vector, std::optional<u32> error_code) {
  events_.exception = {};
  events_.exception.pending = true;
  events_.exception.vector = vector;
  events_.exception.has_error_code = error_code.has_value();
  events_.exception.error_code = error_code.value_or(0);
}

// The page is mapped once more over its place: mremap of a shared mapping with old size 0 duplicates it.
void Vcpu::share_coalesced_ring(u8* mapping, std::size_t length, off_t offset, int prot) {
  constexpr u64 kRing = u64{kCoalescedMmioPageOffset} * 4096;
  const u64 first = static_cast<u64>(offset);
  if (index_ == 0 || first > kRing || first + length <= kRing) return;
  u8* place = mapping + (kRing - first);
  if (::mremap(coalesced_ring(), 0, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED)
    ::mprotect(place, 4096, prot);
}

void Vcpu::request_flush(Vm::Flush what) {
  flush_wish_.fetch_or(what == Vm::Flush::everything ? 3 : 1);
  state().attention.fetch_or(cpu::kAttentionStop | cpu::kAttentionFlush);
  heavy_fence();
}

void Vcpu::wait_for_flush() {
  while (in_guest_.load() && flush_wish_.load() != 0) sched_yield();
}

void Vcpu::handle_flush() {
  const u32 wish = flush_wish_.exchange(0);
  if (wish & 2)
    cpu_.flush_all_memory();
  else if (wish & 1)
    cpu_.flush_writes();
}

void Vcpu::kick() {
  state().attention.fetch_or(cpu::kAttentionStop);
  wake_up_.signal();
}

Result<int> Vcpu::set_tsc_khz(u64 khz) {
  const u32 wanted = khz ? static_cast<u32>(khz) : static_cast<u32>(vm_.profile().tsc_khz);
  // kvm_set_tsc_khz(): without TSC scaling a faster clock is refused, a slower one is caught up in software.
  if (wanted > vm_.profile().tsc_khz || (khz && !vm_.profile().since(6, 1))) return err(EINVAL);
  tsc_khz_ = wanted;
  return 0;
}

Result<int> Vcpu::get_tsc_khz() { return static_cast<int>(tsc_khz_); }

Result<int> Vcpu::enable_cap(const kvm_enable_cap& cap) {
  if (cap.flags) return err(EINVAL);
  if (cap.cap == static_cast<u32>(Cap::EnforcePvFeatureCpuid)) return 0;
  return err(EINVAL);
}

// Needs a guest that has enabled its paravirtual clock; the flag for the guest would go into the clock page.
Result<int> Vcpu::kvmclock_ctrl() {
  constexpr u32 kSystemTime = 0x12, kSystemTimeNew = 0x4b564d01;
  const bool is_enabled = (msrs_[kSystemTime] | msrs_[kSystemTimeNew]) & 1;
  return is_enabled ? Result<int>(0) : err(EINVAL);
}

Result<int> Vcpu::translate(kvm_translation& translation) {
  if (state_changed_) {
    cpu_.state_changed(translations_changed_);
    state_changed_ = translations_changed_ = false;
  }
  Gpa gpa;
  const bool mapped = cpu_.translate(translation.linear_address, gpa);
  translation.physical_address = mapped ? gpa.value : ~u64{0};
  translation.valid = mapped;
  translation.writeable = 1;
  translation.usermode = 0;
  return 0;
}

Result<int> Vcpu::set_signal_mask(UserPointer mask) {
  if (!mask.address) {
    signal_mask_.reset();
    return 0;
  }
  kvm_signal_mask header;
  if (!get_user(header, mask.address)) return err(EFAULT);
  if (header.len != sizeof(SignalSet)) return err(EINVAL);
  SignalSet set;
  if (!get_user(set, mask.address + sizeof header)) return err(EFAULT);
  signal_mask_ = set;
  return 0;
}

}  // namespace mock::vm
