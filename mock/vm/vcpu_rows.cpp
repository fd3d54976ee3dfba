// The table of vcpu ioctls.
#include <cerrno>

#include "mock/vm/vcpu.hpp"

namespace mock::vm {

std::span<const Row<Vcpu>> Vcpu::rows() {
  static constexpr Row<Vcpu> kRows[] = {
      ROW(Run, &Vcpu::run_ioctl, Support::full, ""),
      ROW(GetRegs, &Vcpu::read_regs, Support::full, ""),
      ROW(SetRegs, &Vcpu::set_regs, Support::full, ""),
      ROW(GetSregs, &Vcpu::read_sregs, Support::full, ""),
      ROW(SetSregs, &Vcpu::set_sregs, Support::full, ""),
      ROW_SINCE(6, 1, GetSregs2, &Vcpu::get_sregs2, Support::full, ""),
      ROW_SINCE(6, 1, SetSregs2, &Vcpu::set_sregs2, Support::full, ""),
      ROW(GetFpu, &Vcpu::get_fpu, Support::full, ""),
      ROW(SetFpu, &Vcpu::set_fpu, Support::full, ""),
      ROW(GetXsave, &Vcpu::get_xsave, Support::full, ""),
      ROW(SetXsave, &Vcpu::set_xsave, Support::full, ""),
      ROW_SINCE(6, 1, GetXsave2, &Vcpu::get_xsave, Support::full, ""),
      ROW(GetXcrs, &Vcpu::get_xcrs, Support::full, ""),
      ROW(SetXcrs, &Vcpu::set_xcrs, Support::full, ""),
      ROW(GetDebugregs, &Vcpu::get_debugregs, Support::full, ""),
      ROW(SetDebugregs, &Vcpu::set_debugregs, Support::full, ""),
      ROW(SetCpuid, &Vcpu::set_cpuid, Support::full, ""),
      ROW(SetCpuid2, &Vcpu::set_cpuid2, Support::full, ""),
      ROW(GetCpuid2, &Vcpu::get_cpuid2, Support::full, ""),
      ROW(GetMsrs, &Vcpu::get_msrs, Support::full, ""),
      ROW(SetMsrs, &Vcpu::set_msrs, Support::full, ""),
      ROW(GetMpState, &Vcpu::get_mp_state, Support::full, ""),
      ROW(SetMpState, &Vcpu::set_mp_state, Support::full, ""),
      ROW(GetVcpuEvents, &Vcpu::get_vcpu_events, Support::full, ""),
      ROW(SetVcpuEvents, &Vcpu::set_vcpu_events, Support::full, ""),
      ROW(Translate, &Vcpu::translate, Support::full, ""),
      ROW(Interrupt, &Vcpu::interrupt, Support::full, ""),
      ROW(Nmi, &Vcpu::nmi, Support::full, ""),
      ROW(Smi, &Vcpu::smi, Support::full, ""),
      ROW(SetGuestDebug, &Vcpu::set_guest_debug, Support::full, ""),
      ROW(SetSignalMask, &Vcpu::set_signal_mask, Support::full, ""),
      ROW(SetTscKhz, &Vcpu::set_tsc_khz, Support::full, ""),
      ROW(GetTscKhz, &Vcpu::get_tsc_khz, Support::full, ""),
      ROW(EnableCap, &Vcpu::enable_cap, Support::full, ""),
      ROW(KvmclockCtrl, &Vcpu::kvmclock_ctrl, Support::partial, "the guest's clock page is not written"),
      ROW(X86SetupMce, &Vcpu::x86_setup_mce, Support::full, ""),
      ROW(X86SetMce, &Vcpu::x86_set_mce, Support::full, ""),
      ROW(GetLapic, &Vcpu::get_lapic, Support::full, ""),
      ROW(SetLapic, &Vcpu::set_lapic, Support::full, ""),
      ROW(TprAccessReporting, &Vcpu::tpr_access_reporting, Support::full, ""),
      ROW(SetVapicAddr, &Vcpu::set_vapic_addr, Support::partial, "checked; the page is not updated"),
      ROW(GetNestedState, &Vcpu::get_nested_state, Support::partial, "never in guest mode"),
      ROW(SetNestedState, &Vcpu::set_nested_state, Support::partial, "guest mode is refused"),
      ROW_SINCE(7, 0, GetOneReg, &Vcpu::get_one_reg, Support::full, ""),
      ROW_SINCE(7, 0, SetOneReg, &Vcpu::set_one_reg, Support::full, ""),
      ROW_SINCE(7, 0, GetRegList, &Vcpu::get_reg_list, Support::full, ""),
      ROW_SINCE(6, 1, SetDeviceAttr, &Vcpu::set_device_attr, Support::full, ""),
      ROW_SINCE(6, 1, GetDeviceAttr, &Vcpu::get_device_attr, Support::full, ""),
      ROW_SINCE(6, 1, HasDeviceAttr, &Vcpu::has_device_attr, Support::full, ""),
      ROW_SINCE(6, 12, PreFaultMemory, &Vcpu::pre_fault_memory, Support::full, ""),
      ROW_SINCE(6, 1, GetStatsFd, &Vcpu::get_stats_fd, Support::partial, "all values are 0"),
      MISSING(GetSupportedHvCpuid, EINVAL, "Hyper-V is not modelled"),
      MISSING(XenVcpuSetAttr, EINVAL, "Xen is not modelled"),
      MISSING(XenVcpuGetAttr, EINVAL, "Xen is not modelled"),
      ROW(MemoryEncryptOp, &Vcpu::memory_encrypt_op, Support::partial, "no SEV or TDX on this hardware"),
  };
  return kRows;
}

}  // namespace mock::vm
