// Vcpu: one virtual CPU and its mapped pages. One method per ioctl of a vcpu descriptor on x86, named as the ioctl.
#pragma once

#include <span>

#include "kvmapi/address.hpp"
#include "kvmapi/exit.hpp"
#include "kvmapi/fd.hpp"
#include "kvmapi/flex.hpp"
#include "kvmapi/uapi/all.hpp"

namespace kvmapi {

class Vcpu : public Fd {
 public:
  Vcpu() = default;
  // Maps the vcpu's pages. `mapping_bytes` as KVM_GET_VCPU_MMAP_SIZE says. The errno of mmap, after closing the
  // descriptor.
  static Result<Vcpu> from_fd(Fd fd, std::size_t mapping_bytes);
  Vcpu(Vcpu&& other) noexcept;
  Vcpu& operator=(Vcpu&& other) noexcept;
  ~Vcpu();

  // The page shared with KVM_RUN (struct kvm_run). Only while mapped.
  kvm_run& page() const { return *page_; }
  Exit exit_reason() const { return static_cast<Exit>(page_->exit_reason); }
  // Bytes of the current KVM_EXIT_IO: read them for OUT, fill them for IN.
  std::span<u8> pio_data() const;
  // The part of the mapping from this offset on; empty outside the mapping.
  std::span<u8> mapping(std::size_t offset_bytes = 0) const;
  // The ring of coalesced writes, shared by all vcpus of the VM. nullptr if the mapping has no such page.
  kvm_coalesced_mmio_ring* coalesced_mmio_ring() const;
  // kvm_run.immediate_exit, written in a way that is safe while another thread is in run().
  void set_immediate_exit(bool on) const;

  // api.rst 4.10. 0: page() says why it returned. EINTR: a signal or immediate_exit. EFAULT with Exit::MemoryFault: see
  // its payload.
  Result<int> run() const { return raw(Ioctl::Run); }

  Result<kvm_regs> get_regs() const { return out<kvm_regs>(Ioctl::GetRegs); }
  Result<int> set_regs(const kvm_regs& regs) const { return in(Ioctl::SetRegs, regs); }
  Result<kvm_sregs> get_sregs() const { return out<kvm_sregs>(Ioctl::GetSregs); }
  Result<int> set_sregs(const kvm_sregs& sregs) const { return in(Ioctl::SetSregs, sregs); }
  Result<kvm_sregs2> get_sregs2() const { return out<kvm_sregs2>(Ioctl::GetSregs2); }
  Result<int> set_sregs2(const kvm_sregs2& sregs) const { return in(Ioctl::SetSregs2, sregs); }
  Result<kvm_fpu> get_fpu() const { return out<kvm_fpu>(Ioctl::GetFpu); }
  Result<int> set_fpu(const kvm_fpu& fpu) const { return in(Ioctl::SetFpu, fpu); }
  Result<kvm_debugregs> get_debugregs() const { return out<kvm_debugregs>(Ioctl::GetDebugregs); }
  Result<int> set_debugregs(const kvm_debugregs& regs) const { return in(Ioctl::SetDebugregs, regs); }
  Result<kvm_xcrs> get_xcrs() const { return out<kvm_xcrs>(Ioctl::GetXcrs); }
  Result<int> set_xcrs(const kvm_xcrs& xcrs) const { return in(Ioctl::SetXcrs, xcrs); }
  // 4096 bytes. KVM_SET_XSAVE reads KVM_CHECK_EXTENSION(KVM_CAP_XSAVE2) bytes when that is more: use the span form
  // then.
  Result<kvm_xsave> get_xsave() const { return out<kvm_xsave>(Ioctl::GetXsave); }
  Result<int> set_xsave(const kvm_xsave& xsave) const { return in(Ioctl::SetXsave, xsave); }
  Result<int> set_xsave(std::span<const u8> state) const { return raw(Ioctl::SetXsave, state.data()); }
  // `state`: at least KVM_CHECK_EXTENSION(KVM_CAP_XSAVE2) bytes.
  Result<int> get_xsave2(std::span<u8> state) const { return raw(Ioctl::GetXsave2, state.data()); }

  // Number of entries done; the rest of the list was not looked at.
  Result<int> get_msrs(Msrs& msrs) const { return inout(Ioctl::GetMsrs, msrs.header()); }
  Result<int> set_msrs(const Msrs& msrs) const { return in(Ioctl::SetMsrs, msrs.header()); }
  // One MSR. EINVAL when KVM does not do it (the ioctl itself returns 0 entries then).
  Result<u64> get_msr(u32 index) const;
  Result<int> set_msr(u32 index, u64 value) const;

  Result<int> set_cpuid(const LegacyCpuid& cpuid) const { return in(Ioctl::SetCpuid, cpuid.header()); }
  Result<int> set_cpuid2(const Cpuid& cpuid) const { return in(Ioctl::SetCpuid2, cpuid.header()); }
  Result<int> get_cpuid2(Cpuid& cpuid) const { return inout(Ioctl::GetCpuid2, cpuid.header()); }
  Result<int> get_supported_hv_cpuid(Cpuid& cpuid) const { return inout(Ioctl::GetSupportedHvCpuid, cpuid.header()); }

  Result<kvm_translation> translate(Gva address) const;
  Result<int> interrupt(u32 irq) const { return in(Ioctl::Interrupt, kvm_interrupt{irq}); }
  Result<int> nmi() const { return raw(Ioctl::Nmi); }
  Result<int> smi() const { return raw(Ioctl::Smi); }
  Result<kvm_lapic_state> get_lapic() const { return out<kvm_lapic_state>(Ioctl::GetLapic); }
  Result<int> set_lapic(const kvm_lapic_state& lapic) const { return in(Ioctl::SetLapic, lapic); }
  Result<kvm_mp_state> get_mp_state() const { return out<kvm_mp_state>(Ioctl::GetMpState); }
  Result<int> set_mp_state(kvm_mp_state state) const { return in(Ioctl::SetMpState, state); }
  Result<kvm_vcpu_events> get_vcpu_events() const { return out<kvm_vcpu_events>(Ioctl::GetVcpuEvents); }
  Result<int> set_vcpu_events(const kvm_vcpu_events& events) const { return in(Ioctl::SetVcpuEvents, events); }
  Result<int> set_guest_debug(const kvm_guest_debug& debug) const { return in(Ioctl::SetGuestDebug, debug); }

  // Signals that are blocked while KVM_RUN runs. nullptr: no change of the mask.
  Result<int> set_signal_mask(const SignalMask* mask) const {
    return raw(Ioctl::SetSignalMask, mask != nullptr ? static_cast<const void*>(&mask->header()) : nullptr);
  }
  Result<int> enable_cap(const kvm_enable_cap& cap) const { return in(Ioctl::EnableCap, cap); }
  Result<int> enable_cap(Cap cap, u64 arg0 = 0, u64 arg1 = 0) const;
  // 0: the host's rate.
  Result<int> set_tsc_khz(u32 khz) const { return raw(Ioctl::SetTscKhz, u64{khz}); }
  Result<int> get_tsc_khz() const { return raw(Ioctl::GetTscKhz); }
  Result<int> kvmclock_ctrl() const { return raw(Ioctl::KvmclockCtrl); }

  Result<int> set_one_reg(const kvm_one_reg& reg) const { return in(Ioctl::SetOneReg, reg); }
  Result<int> get_one_reg(const kvm_one_reg& reg) const { return in(Ioctl::GetOneReg, reg); }
  Result<int> get_reg_list(RegList& list) const { return inout(Ioctl::GetRegList, list.header()); }
  Result<int> set_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::SetDeviceAttr, attr); }
  Result<int> get_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::GetDeviceAttr, attr); }
  Result<int> has_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::HasDeviceAttr, attr); }

  // Low byte: number of banks; higher bits: MCG_CAP.
  Result<int> x86_setup_mce(u64 mcg_cap) const { return in(Ioctl::X86SetupMce, mcg_cap); }
  Result<int> x86_set_mce(const kvm_x86_mce& mce) const { return in(Ioctl::X86SetMce, mce); }
  Result<int> tpr_access_reporting(kvm_tpr_access_ctl& control) const {
    return inout(Ioctl::TprAccessReporting, control);
  }
  Result<int> set_vapic_addr(const kvm_vapic_addr& address) const { return in(Ioctl::SetVapicAddr, address); }

  // E2BIG: header().size says what is needed.
  Result<int> get_nested_state(NestedState& state) const { return inout(Ioctl::GetNestedState, state.header()); }
  Result<int> set_nested_state(const NestedState& state) const { return in(Ioctl::SetNestedState, state.header()); }
  Result<int> pre_fault_memory(kvm_pre_fault_memory& range) const { return inout(Ioctl::PreFaultMemory, range); }
  Result<int> xen_vcpu_set_attr(const kvm_xen_vcpu_attr& attr) const { return in(Ioctl::XenVcpuSetAttr, attr); }
  Result<int> xen_vcpu_get_attr(kvm_xen_vcpu_attr& attr) const { return inout(Ioctl::XenVcpuGetAttr, attr); }
  // `command`: kvm_sev_cmd or kvm_tdx_cmd.
  Result<int> memory_encrypt_op(void* command) const { return raw(Ioctl::MemoryEncryptOp, command); }
  Result<Fd> get_stats_fd() const { return make<Fd>(Ioctl::GetStatsFd); }

 private:
  void unmap();

  kvm_run* page_ = nullptr;
  std::size_t mapping_bytes_ = 0;
};

}  // namespace kvmapi
