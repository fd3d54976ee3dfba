// The table of vm ioctls.
#include <cerrno>

#include "mock/vm/vm.hpp"

namespace mock::vm {

std::span<const Row<Vm>> Vm::rows() {
  static constexpr Row<Vm> kRows[] = {
      ROW(CheckExtension, &Vm::check_extension, Support::full, ""),
      ROW(CreateVcpu, &Vm::create_vcpu, Support::full, ""),
      ROW(EnableCap, &Vm::enable_cap, Support::full, ""),
      ROW(SetUserMemoryRegion, &Vm::set_user_memory_region, Support::full, ""),
      ROW_SINCE(6, 12, SetUserMemoryRegion2, &Vm::set_user_memory_region2, Support::partial, "no guest_memfd"),
      ROW(GetDirtyLog, &Vm::get_dirty_log, Support::full, ""),
      ROW(ClearDirtyLog, &Vm::clear_dirty_log, Support::full, ""),
      ROW(SetTssAddr, &Vm::set_tss_addr, Support::full, ""),
      ROW(SetIdentityMapAddr, &Vm::set_identity_map_addr, Support::full, ""),
      ROW(SetBootCpuId, &Vm::set_boot_cpu_id, Support::full, ""),
      ROW(SetNrMmuPages, &Vm::set_nr_mmu_pages, Support::full, ""),
      ROW(GetNrMmuPages, &Vm::get_nr_mmu_pages, Support::full, ""),
      ROW(SetTscKhz, &Vm::set_tsc_khz, Support::full, ""),
      ROW(GetTscKhz, &Vm::get_tsc_khz, Support::full, ""),
      ROW(GetClock, &Vm::get_clock, Support::full, ""),
      ROW(SetClock, &Vm::set_clock, Support::full, ""),
      ROW(CreateIrqchip, &Vm::create_irqchip, Support::full, ""),
      ROW(IrqLine, &Vm::irq_line, Support::full, ""),
      ROW(IrqLineStatus, &Vm::irq_line_status, Support::full, ""),
      ROW(GetIrqchip, &Vm::get_irqchip, Support::full, ""),
      ROW(SetIrqchip, &Vm::set_irqchip, Support::full, ""),
      ROW(SetGsiRouting, &Vm::set_gsi_routing, Support::full, ""),
      ROW(SignalMsi, &Vm::signal_msi, Support::full, ""),
      ROW(CreatePit, &Vm::create_pit, Support::full, ""),
      ROW(CreatePit2, &Vm::create_pit2, Support::full, ""),
      ROW(GetPit, &Vm::get_pit, Support::full, ""),
      ROW(SetPit, &Vm::set_pit, Support::full, ""),
      ROW(GetPit2, &Vm::get_pit2, Support::full, ""),
      ROW(SetPit2, &Vm::set_pit2, Support::full, ""),
      ROW(ReinjectControl, &Vm::reinject_control, Support::partial, "missed ticks are not reinjected"),
      ROW(Irqfd, &Vm::irqfd, Support::full, ""),
      ROW(Ioeventfd, &Vm::ioeventfd, Support::full, ""),
      ROW(RegisterCoalescedMmio, &Vm::register_coalesced_mmio, Support::full, ""),
      ROW(UnregisterCoalescedMmio, &Vm::unregister_coalesced_mmio, Support::full, ""),
      ROW(CreateDevice, &Vm::create_device, Support::full, ""),
      ROW(X86SetMsrFilter, &Vm::x86_set_msr_filter, Support::full, ""),
      ROW(SetPmuEventFilter, &Vm::set_pmu_event_filter, Support::partial, "checked; there are no counters"),
      ROW_SINCE(6, 1, ResetDirtyRings, &Vm::reset_dirty_rings, Support::full, ""),
      ROW_SINCE(6, 8, SetMemoryAttributes, &Vm::set_memory_attributes, Support::partial,
                "a plain VM has no attributes to set"),
      ROW_SINCE(6, 1, GetStatsFd, &Vm::get_stats_fd, Support::partial, "all values are 0"),
      MISSING(XenHvmConfig, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmSetAttr, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmGetAttr, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmEvtchnSend, ENOTTY, "Xen is not modelled"),
      MISSING(HypervEventfd, ENOTTY, "Hyper-V is not modelled"),
      MISSING(MemoryEncryptOp, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(MemoryEncryptRegRegion, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(MemoryEncryptUnregRegion, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(CreateGuestMemfd, ENOTTY, "guest_memfd is not modelled"),
  };
  return kRows;
}

}  // namespace mock::vm
