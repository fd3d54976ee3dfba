// Life cycle of a VM and its vcpus.
#include "mock/vm/vm.hpp"

#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "mock/vm/irqchip.hpp"
#include "mock/vm/irqfd.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

s64 monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return s64{now.tv_sec} * 1000000000 + now.tv_nsec;
}

Vm::Vm(const Context& context)
    : context_(context), generation_(g_process_generation.load()), clock_offset_ns_(monotonic_ns()) {
  config_.default_tsc_khz = context.profile->tsc_khz;
}

Vm::~Vm() {
  // In the child of a fork the helper thread does not exist.
  if (irqfds_ && is_alien()) irqfds_->forget_thread();
  // It drives vcpus, so it ends before them.
  irqfds_.reset();
}

Result<int> Vm::ioctl(u32 request, u64 argument) {
  static const RowIndex<Vm> index(rows());
  if (is_closed()) return err(EIO);
  const int unknown = has_defect(Defect::unknown_vm_ioctl_is_einval) ? EINVAL : ENOTTY;
  return dispatch(index, *this, context_, FdKind::Vm, request, argument, unknown);
}

Vcpu* Vm::vcpu_by_id(u32 id) {
  for (auto& vcpu : vcpus_)
    if (vcpu->id() == id) return vcpu.get();
  return nullptr;
}

bool Vm::has_vcpus() {
  std::lock_guard lock(lock_);
  return created_vcpus_ > 0;
}

// Checks in the order of kvm_vm_ioctl_create_vcpu() and kvm_arch_vcpu_precreate().
Result<Vcpu*> Vm::make_vcpu(u64 id, RunPages pages) {
  if (id >= profile().max_vcpu_ids()) return err(EINVAL);
  std::lock_guard lock(lock_);
  if (created_vcpus_ >= profile().max_vcpus()) return err(EINVAL);
  // The first attempt freezes the limit, even if it fails.
  if (!config_.max_vcpu_ids) config_.max_vcpu_ids = profile().max_vcpu_ids();
  if (id >= config_.max_vcpu_ids) return err(EINVAL);
  if (vcpu_by_id(static_cast<u32>(id))) return err(has_defect(Defect::duplicate_vcpu_id_is_einval) ? EINVAL : EEXIST);
  ++created_vcpus_;
  vcpus_.push_back(
      std::make_unique<Vcpu>(*this, static_cast<u32>(id), static_cast<u32>(vcpus_.size()), std::move(pages)));
  if (vcpus_.size() == 1) coalesced_ring_ = vcpus_.back()->third_run_page();
  return vcpus_.back().get();
}

Result<int> Vm::create_vcpu(u64 id) {
  if (!context_.descriptors) return err(ENOSYS);
  Result<RunPages> pages = RunPages::in_memfd(config_.dirty_ring_bytes);
  if (!pages) return err(pages.error());
  const int descriptor = pages->release_descriptor();
  RunPages shared = std::move(*pages);
  Result<Vcpu*> vcpu = make_vcpu(id, std::move(shared));
  if (!vcpu) {
    ::close(descriptor);
    return err(vcpu.error());
  }
  return context_.descriptors->add(shared_from_this(), **vcpu, descriptor);
}

Result<int> Vm::check_extension(u64 number) {
  if (number <= 0xffffffff) {
    const auto& special = profile().vm_capabilities[static_cast<std::size_t>(irqchip_mode())];
    if (const auto found = special.find(static_cast<u32>(number)); found != special.end()) return found->second;
  }
  // The VM's own value since 6.17; before, the constant.
  if (number == static_cast<u64>(Cap::X86ApicBusCyclesNs) && profile().since(6, 17))
    return static_cast<int>(config_.apic_bus_cycle_ns);
  return vm::check_extension(context_, number);
}

Result<int> Vm::set_tss_addr(u64 address) { return address > 0xffffd000 ? Result<int>(err(EINVAL)) : Result<int>(0); }

Result<int> Vm::set_identity_map_addr(UserPointer address) {
  if (has_vcpus()) return err(EINVAL);
  u64 value;
  return get_user(value, address.address) ? Result<int>(0) : err(EFAULT);
}

Result<int> Vm::set_boot_cpu_id(u64 id) {
  std::lock_guard lock(lock_);
  if (created_vcpus_) return err(EBUSY);
  const u64 limit = config_.max_vcpu_ids ? config_.max_vcpu_ids : profile().max_vcpu_ids();
  // QUIRK(kvm, 6.12, kvm_arch_vm_ioctl): the bound itself passes when no limit was set.
  if (profile().since(6, 12) && (id > profile().max_vcpu_ids() || (config_.max_vcpu_ids && id >= limit)))
    return err(EINVAL);
  config_.boot_cpu_id = static_cast<u32>(id);
  return 0;
}

Result<int> Vm::set_nr_mmu_pages(u64 pages) {
  if (pages < 64) return err(EINVAL);
  mmu_pages_ = pages;
  return 0;
}

Result<int> Vm::get_nr_mmu_pages() {
  if (profile().since(6, 12)) return err(ENOTTY);
  return static_cast<int>(mmu_pages_);
}

Result<int> Vm::set_tsc_khz(u64 khz) {
  if (!profile().since(6, 1)) return err(ENOTTY);
  const u32 wanted = khz ? static_cast<u32>(khz) : static_cast<u32>(profile().tsc_khz);
  // Without TSC scaling not more than the host's own rate; vcpus were looked at from 6.17 on.
  if (wanted > profile().tsc_khz || (profile().since(6, 17) && has_vcpus())) return err(EINVAL);
  config_.default_tsc_khz = wanted;
  return 0;
}

Result<int> Vm::get_tsc_khz() {
  if (!profile().since(6, 1)) return err(ENOTTY);
  return static_cast<int>(config_.default_tsc_khz);
}

Result<kvm_clock_data> Vm::get_clock() {
  kvm_clock_data data{};
  data.clock = static_cast<u64>(monotonic_ns() - clock_offset_ns_);
  timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  data.flags = kClockTscStable;
  if (profile().since(6, 1)) {
    data.flags |= kClockRealtime | kClockHostTsc;
    data.realtime = static_cast<u64>(real.tv_sec) * 1000000000 + static_cast<u64>(real.tv_nsec);
    data.host_tsc = __builtin_ia32_rdtsc();
  }
  return data;
}

Result<int> Vm::set_clock(const kvm_clock_data& clock) {
  const u32 valid = profile().since(6, 1) ? kClockTscStable | kClockRealtime | kClockHostTsc : 0;
  if (clock.flags & ~valid) return err(EINVAL);
  s64 base = static_cast<s64>(clock.clock);
  if (clock.flags & kClockRealtime) {
    timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    const s64 now = s64{real.tv_sec} * 1000000000 + real.tv_nsec;
    if (now > static_cast<s64>(clock.realtime)) base += now - static_cast<s64>(clock.realtime);
  }
  clock_offset_ns_ = monotonic_ns() - base;
  return 0;
}

}  // namespace mock::vm
