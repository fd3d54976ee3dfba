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
      ROW(CreateIrqchip, &Vm::create_irqchip, Support::partial, "no chips behind it yet"),
      MISSING(IrqLine, ENXIO, "interrupt controllers are not modelled"),
      MISSING(IrqLineStatus, ENXIO, "interrupt controllers are not modelled"),
      MISSING(GetIrqchip, ENXIO, "interrupt controllers are not modelled"),
      MISSING(SetIrqchip, ENXIO, "interrupt controllers are not modelled"),
      MISSING(SetGsiRouting, EINVAL, "interrupt controllers are not modelled"),
      MISSING(SignalMsi, EINVAL, "interrupt controllers are not modelled"),
      MISSING(Irqfd, EINVAL, "interrupt controllers are not modelled"),
      MISSING(CreatePit, ENOTTY, "the PIT is not modelled"),
      MISSING(CreatePit2, ENOTTY, "the PIT is not modelled"),
      MISSING(GetPit, ENXIO, "the PIT is not modelled"),
      MISSING(SetPit, ENXIO, "the PIT is not modelled"),
      MISSING(GetPit2, ENXIO, "the PIT is not modelled"),
      MISSING(SetPit2, ENXIO, "the PIT is not modelled"),
      MISSING(ReinjectControl, ENXIO, "the PIT is not modelled"),
      MISSING(Ioeventfd, ENOTTY, "ioeventfd is not modelled"),
      MISSING(RegisterCoalescedMmio, ENOTTY, "coalesced MMIO is not modelled"),
      MISSING(UnregisterCoalescedMmio, ENOTTY, "coalesced MMIO is not modelled"),
      MISSING(CreateDevice, ENODEV, "device descriptors are not modelled"),
      MISSING(X86SetMsrFilter, ENOTTY, "the MSR filter is not modelled"),
      MISSING(SetPmuEventFilter, ENOTTY, "the PMU is not modelled"),
      MISSING(GetStatsFd, ENOTTY, "statistics are not modelled"),
      MISSING(ResetDirtyRings, EINVAL, "the dirty ring is not modelled"),
      MISSING(XenHvmConfig, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmSetAttr, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmGetAttr, ENOTTY, "Xen is not modelled"),
      MISSING(XenHvmEvtchnSend, ENOTTY, "Xen is not modelled"),
      MISSING(HypervEventfd, ENOTTY, "Hyper-V is not modelled"),
      MISSING(MemoryEncryptOp, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(MemoryEncryptRegRegion, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(MemoryEncryptUnregRegion, ENOTTY, "no SEV or TDX on this hardware"),
      MISSING(SetMemoryAttributes, ENOTTY, "private memory is not configured"),
      MISSING(CreateGuestMemfd, ENOTTY, "guest_memfd is not modelled"),
  };
  return kRows;
}

}  // namespace mock::vm
