// One virtual machine: memory slots, vcpus, and what KVM_ENABLE_CAP and friends configured. Each ioctl is a member
// function named as the ioctl; files: vm.cpp (life cycle, vcpus), vm_memory.cpp, vm_caps.cpp, vm_rows.cpp.
//
// Locks: `lock_` guards the vcpu list and configuration (the kernel's kvm->lock); the slots have their own
// reader-writer lock. A vcpu's mutex is taken before either.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "kvmapi/uapi/all.hpp"
#include "kvmapi/uapi/constants.hpp"
#include "mock/vm/context.hpp"
#include "mock/vm/dispatch.hpp"
#include "mock/vm/io_bus.hpp"
#include "mock/vm/memory_slots.hpp"
#include "mock/vm/msr_filter.hpp"
#include "mock/vm/run_pages.hpp"

namespace mock::vm {

enum class IrqchipMode : u8 { none, kernel, split };

// What KVM_ENABLE_CAP and other set-up ioctls chose. Read by vcpus without a lock: fields change before vcpus run, or
// are single words whose change may be seen late.
struct VmConfig {
  std::atomic<u64> disabled_quirks{0};
  std::atomic<u64> user_space_msr_mask{0};
  std::atomic<u64> hypercall_exits{0};
  std::atomic<u64> disabled_exits{0};
  std::atomic<bool> exception_payload{false};
  std::atomic<bool> triple_fault_event{false};
  std::atomic<bool> exit_on_emulation_failure{false};
  std::atomic<bool> platform_info{true};
  std::atomic<bool> x2apic_32bit_ids{false};
  std::atomic<bool> x2apic_broadcast_quirk_disabled{false};
  std::atomic<u64> manual_dirty_log{0};
  u32 dirty_ring_bytes = 0;
  u32 boot_cpu_id = 0;
  u32 max_vcpu_ids = 0;  // 0: the profile's
  u32 reserved_ioapic_pins = 0;
  u64 apic_bus_cycle_ns = 1;
  u64 default_tsc_khz = 0;
};

class Irqchip;
class Irqfds;

// CLOCK_MONOTONIC in nanoseconds.
s64 monotonic_ns();

class Vm : public std::enable_shared_from_this<Vm> {
 public:
  explicit Vm(const Context& context);
  ~Vm();

  // As ioctl(2) on a vm descriptor: ENOTTY for an unknown number, EIO from another process.
  Result<int> ioctl(u32 request, u64 argument);

  // A vcpu without descriptor; it lives as long as the VM. EINVAL, EEXIST.
  Result<Vcpu*> make_vcpu(u64 id, RunPages pages);

  const Context& context() const { return context_; }
  const Profile& profile() const { return *context_.profile; }
  bool has_defect(Defect which) const { return context_.defect == which; }
  VmConfig& config() { return config_; }
  MemorySlots& slots() { return slots_; }
  IrqchipMode irqchip_mode() const { return irqchip_mode_.load(std::memory_order_acquire); }
  // nullptr without in-kernel local APICs.
  Irqchip* irqchip() { return irqchip_.get(); }
  bool has_irqchip() const { return irqchip_mode() != IrqchipMode::none; }
  bool is_alien() const { return generation_ != g_process_generation.load(std::memory_order_relaxed); }
  // Of another process, or dead: every ioctl is EIO.
  bool is_closed() const { return is_dead_.load(std::memory_order_relaxed) || is_alien(); }
  // The kernel gives the VM up (kvm_vm_dead()).
  void kill() { is_dead_.store(true, std::memory_order_relaxed); }
  bool has_quirk(u64 quirk) const { return !(config_.disabled_quirks.load(std::memory_order_relaxed) & quirk); }

  IoBus& io_bus() { return io_bus_; }
  // The third run page of the first vcpu serves all.
  u8* coalesced_ring() { return coalesced_ring_; }
  Irqfds* irqfds() { return irqfds_.get(); }
  // Whether the filter lets the guest read (write) an MSR itself.
  bool allows_msr(u32 index, bool is_write);

  Vcpu* vcpu_by_id(u32 id);
  template <class F>
  void for_each_vcpu(F&& f) {
    std::lock_guard lock(lock_);
    for (auto& vcpu : vcpus_) f(*vcpu);
  }

  // Makes every vcpu forget translations (all, or only the right to write) and waits until none uses an old one.
  enum class Flush : u8 { writes, everything };
  void flush_vcpus(Flush what);

  // --- ioctls
  Result<int> check_extension(u64 number);
  Result<int> create_vcpu(u64 id);
  Result<int> enable_cap(const kvm_enable_cap& cap);
  Result<int> set_user_memory_region(const kvm_userspace_memory_region& region);
  Result<int> set_user_memory_region2(const kvm_userspace_memory_region2& region);
  Result<int> get_dirty_log(const kvm_dirty_log& log);
  Result<int> clear_dirty_log(const kvm_clear_dirty_log& log);
  Result<int> set_tss_addr(u64 address);
  Result<int> set_identity_map_addr(UserPointer address);
  Result<int> set_boot_cpu_id(u64 id);
  Result<int> set_nr_mmu_pages(u64 pages);
  Result<int> get_nr_mmu_pages();
  Result<int> set_tsc_khz(u64 khz);
  Result<int> get_tsc_khz();
  Result<int> create_irqchip();
  Result<int> irq_line(const kvm_irq_level& level);
  Result<int> irq_line_status(kvm_irq_level& level);
  Result<int> get_irqchip(kvm_irqchip& chip);
  Result<int> set_irqchip(const kvm_irqchip& chip);
  Result<int> set_gsi_routing(UserPointer list);
  Result<int> signal_msi(const kvm_msi& msi);
  Result<int> create_pit();
  Result<int> create_pit2(const kvm_pit_config& config);
  Result<kvm_pit_state2> get_pit2();
  Result<int> set_pit2(const kvm_pit_state2& state);
  Result<int> get_pit(kvm_pit_state& state);
  Result<int> set_pit(const kvm_pit_state& state);
  Result<int> ioeventfd(const kvm_ioeventfd& request);
  Result<int> irqfd(const kvm_irqfd& request);
  Result<int> register_coalesced_mmio(const kvm_coalesced_mmio_zone& zone);
  Result<int> unregister_coalesced_mmio(const kvm_coalesced_mmio_zone& zone);
  Result<int> x86_set_msr_filter(const kvm_msr_filter& filter);
  Result<int> set_pmu_event_filter(UserPointer filter);
  Result<int> create_device(kvm_create_device& request);
  Result<int> reset_dirty_rings();
  Result<int> get_stats_fd();
  Result<int> set_memory_attributes(const kvm_memory_attributes& request);
  Result<int> reinject_control(const kvm_reinject_control& control);
  Result<kvm_clock_data> get_clock();
  Result<int> set_clock(const kvm_clock_data& clock);

  static std::span<const Row<Vm>> rows();

 private:
  Result<int> set_region(const RegionRequest& region);
  // The slot of a dirty log call, or the error.
  Result<Slot*> dirty_slot(u32 slot);
  bool has_vcpus();
  Result<int> enable_dirty_ring(u64 bytes);
  Result<int> enable_max_vcpu_id(u64 limit);
  Result<int> enable_split_irqchip(u64 pins);
  Result<int> create_pit_with(u32 flags);
  Irqchip* pit_owner();
  Result<int> make_vfio_device(kvm_create_device& request);

  Context context_;
  u32 generation_;
  std::atomic<bool> is_dead_{false};
  VmConfig config_;
  MemorySlots slots_;
  IoBus io_bus_;
  std::shared_mutex filter_mutex_;
  MsrFilter msr_filter_;
  std::weak_ptr<Device> vfio_;
  std::unique_ptr<Irqchip> irqchip_;
  std::unique_ptr<Irqfds> irqfds_;
  std::unique_ptr<Irqchip> lone_pit_;  // a PIT without interrupt controllers (up to 6.1)
  std::atomic<IrqchipMode> irqchip_mode_{IrqchipMode::none};

  std::mutex lock_;
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
  u32 created_vcpus_ = 0;
  u8* coalesced_ring_ = nullptr;
  u64 mmu_pages_ = 0;
  s64 clock_offset_ns_ = 0;
};

}  // namespace mock::vm
