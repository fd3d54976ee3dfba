// Vm: one virtual machine. One method per ioctl of a vm descriptor on x86, named as the ioctl.
#pragma once

#include "kvmapi/device.hpp"
#include "kvmapi/fd.hpp"
#include "kvmapi/flex.hpp"
#include "kvmapi/uapi/all.hpp"
#include "kvmapi/vcpu.hpp"

namespace kvmapi {

class Vm : public Fd {
 public:
  Vm() = default;
  // `vcpu_mapping_bytes` as KVM_GET_VCPU_MMAP_SIZE says.
  Vm(Fd fd, std::size_t vcpu_mapping_bytes) : Fd(std::move(fd)), vcpu_mapping_bytes_(vcpu_mapping_bytes) {}

  // `id`: also the initial APIC id. The vcpu's pages are mapped.
  Result<Vcpu> create_vcpu(u32 id) const;
  // 0 for a capability that is not there.
  Result<int> check_extension(Cap cap) const { return raw(Ioctl::CheckExtension, u64{static_cast<u32>(cap)}); }
  Result<int> enable_cap(const kvm_enable_cap& cap) const { return in(Ioctl::EnableCap, cap); }
  Result<int> enable_cap(Cap cap, u64 arg0 = 0, u64 arg1 = 0) const;

  Result<int> set_user_memory_region(const kvm_userspace_memory_region& region) const {
    return in(Ioctl::SetUserMemoryRegion, region);
  }
  Result<int> set_user_memory_region2(const kvm_userspace_memory_region2& region) const {
    return in(Ioctl::SetUserMemoryRegion2, region);
  }
  Result<int> set_memory_attributes(const kvm_memory_attributes& attributes) const {
    return in(Ioctl::SetMemoryAttributes, attributes);
  }
  Result<Fd> create_guest_memfd(const kvm_create_guest_memfd& memfd) const {
    return make<Fd>(Ioctl::CreateGuestMemfd, reinterpret_cast<u64>(&memfd));
  }
  // log.dirty_bitmap must hold one bit per page of the slot, rounded up to 64 bits.
  Result<int> get_dirty_log(const kvm_dirty_log& log) const { return in(Ioctl::GetDirtyLog, log); }
  Result<int> clear_dirty_log(const kvm_clear_dirty_log& log) const { return in(Ioctl::ClearDirtyLog, log); }
  // Number of entries reset.
  Result<int> reset_dirty_rings() const { return raw(Ioctl::ResetDirtyRings); }
  Result<int> set_nr_mmu_pages(u64 pages) const { return raw(Ioctl::SetNrMmuPages, pages); }
  Result<int> get_nr_mmu_pages() const { return raw(Ioctl::GetNrMmuPages); }
  Result<int> register_coalesced_mmio(const kvm_coalesced_mmio_zone& zone) const {
    return in(Ioctl::RegisterCoalescedMmio, zone);
  }
  Result<int> unregister_coalesced_mmio(const kvm_coalesced_mmio_zone& zone) const {
    return in(Ioctl::UnregisterCoalescedMmio, zone);
  }

  Result<int> set_tss_addr(Gpa address) const { return raw(Ioctl::SetTssAddr, address.value); }
  Result<int> set_identity_map_addr(Gpa address) const { return in(Ioctl::SetIdentityMapAddr, address.value); }
  Result<int> set_boot_cpu_id(u32 id) const { return raw(Ioctl::SetBootCpuId, u64{id}); }
  Result<int> set_tsc_khz(u32 khz) const { return raw(Ioctl::SetTscKhz, u64{khz}); }
  Result<int> get_tsc_khz() const { return raw(Ioctl::GetTscKhz); }
  Result<kvm_clock_data> get_clock() const { return out<kvm_clock_data>(Ioctl::GetClock); }
  Result<int> set_clock(const kvm_clock_data& clock) const { return in(Ioctl::SetClock, clock); }

  Result<int> create_irqchip() const { return raw(Ioctl::CreateIrqchip); }
  // kIrqchipPicMaster, kIrqchipPicSlave or kIrqchipIoapic.
  Result<kvm_irqchip> get_irqchip(u32 chip_id) const;
  Result<int> set_irqchip(const kvm_irqchip& chip) const { return in(Ioctl::SetIrqchip, chip); }
  Result<int> irq_line(u32 gsi, u32 level) const { return in(Ioctl::IrqLine, kvm_irq_level{gsi, level}); }
  // level.irq becomes the status: -1 ignored or masked, 0 coalesced, n delivered.
  Result<int> irq_line_status(kvm_irq_level& level) const { return inout(Ioctl::IrqLineStatus, level); }
  Result<int> set_gsi_routing(const IrqRouting& routing) const { return in(Ioctl::SetGsiRouting, routing.header()); }
  Result<int> signal_msi(const kvm_msi& msi) const { return in(Ioctl::SignalMsi, msi); }
  Result<int> irqfd(const kvm_irqfd& irqfd) const { return in(Ioctl::Irqfd, irqfd); }
  Result<int> ioeventfd(const kvm_ioeventfd& ioeventfd) const { return in(Ioctl::Ioeventfd, ioeventfd); }

  Result<int> create_pit() const { return raw(Ioctl::CreatePit); }
  Result<kvm_pit_state> get_pit() const { return out<kvm_pit_state>(Ioctl::GetPit); }
  Result<int> set_pit(const kvm_pit_state& state) const { return in(Ioctl::SetPit, state); }
  Result<int> create_pit2(const kvm_pit_config& config = {}) const { return in(Ioctl::CreatePit2, config); }
  Result<kvm_pit_state2> get_pit2() const { return out<kvm_pit_state2>(Ioctl::GetPit2); }
  Result<int> set_pit2(const kvm_pit_state2& state) const { return in(Ioctl::SetPit2, state); }
  Result<int> reinject_control(const kvm_reinject_control& control) const {
    return in(Ioctl::ReinjectControl, control);
  }

  Result<int> x86_set_msr_filter(const kvm_msr_filter& filter) const { return in(Ioctl::X86SetMsrFilter, filter); }
  Result<int> set_pmu_event_filter(const PmuEventFilter& filter) const {
    return in(Ioctl::SetPmuEventFilter, filter.header());
  }
  Result<Device> create_device(u32 type, u32 flags = 0) const;
  // Is the type known? ENODEV if not. Creates nothing.
  Result<int> create_device_test(u32 type) const;
  Result<Fd> get_stats_fd() const { return make<Fd>(Ioctl::GetStatsFd); }

  Result<int> xen_hvm_config(const kvm_xen_hvm_config& config) const { return in(Ioctl::XenHvmConfig, config); }
  Result<int> xen_hvm_set_attr(const kvm_xen_hvm_attr& attr) const { return in(Ioctl::XenHvmSetAttr, attr); }
  Result<int> xen_hvm_get_attr(kvm_xen_hvm_attr& attr) const { return inout(Ioctl::XenHvmGetAttr, attr); }
  Result<int> xen_hvm_evtchn_send(const kvm_irq_routing_xen_evtchn& event) const {
    return in(Ioctl::XenHvmEvtchnSend, event);
  }
  Result<int> hyperv_eventfd(const kvm_hyperv_eventfd& eventfd) const { return in(Ioctl::HypervEventfd, eventfd); }

  // `command`: kvm_sev_cmd or kvm_tdx_cmd.
  Result<int> memory_encrypt_op(void* command) const { return raw(Ioctl::MemoryEncryptOp, command); }
  Result<int> memory_encrypt_reg_region(const kvm_enc_region& region) const {
    return in(Ioctl::MemoryEncryptRegRegion, region);
  }
  Result<int> memory_encrypt_unreg_region(const kvm_enc_region& region) const {
    return in(Ioctl::MemoryEncryptUnregRegion, region);
  }

 private:
  std::size_t vcpu_mapping_bytes_ = 0;
};

}  // namespace kvmapi
