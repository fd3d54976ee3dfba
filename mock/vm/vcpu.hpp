// One virtual CPU as KVM presents it: state ioctls and KVM_RUN. Each ioctl is a member function named as the ioctl.
// Files: vcpu.cpp (life cycle), regs.cpp, sregs.cpp, fpu.cpp, cpuid.cpp, msrs.cpp, events.cpp, run.cpp (the run loop),
// exits.cpp (what a stop of the CPU becomes in kvm_run), mce.cpp, vcpu_bus.cpp (what the CPU sees), vcpu_rows.cpp (the
// table).
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "kvmapi/uapi/all.hpp"
#include "kvmapi/uapi/constants.hpp"
#include "mock/cpu/cpu.hpp"
#include "mock/devices/clock.hpp"
#include "mock/devices/lapic.hpp"
#include "mock/vm/biased_mutex.hpp"
#include "mock/vm/context.hpp"
#include "mock/vm/dirty_ring.hpp"
#include "mock/vm/dispatch.hpp"
#include "mock/vm/run_pages.hpp"
#include "mock/vm/signals.hpp"
#include "mock/vm/user_memory.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {

// Events waiting to be delivered, in the words of struct kvm_vcpu_events.
struct Events {
  struct Exception {
    bool pending = false, injected = false;
    u8 vector = 0;
    bool has_error_code = false;
    u32 error_code = 0;
    bool has_payload = false;
    u64 payload = 0;
  } exception;
  struct Interrupt {
    bool injected = false, soft = false;
    u8 vector = 0;
  } interrupt;
  bool nmi_injected = false;
  u8 nmi_pending = 0;
  bool smi_pending = false;
  bool triple_fault = false;

  // Nothing that the CPU would have to deliver.
  bool is_idle() const {
    return !(exception.pending | exception.injected | interrupt.injected | nmi_injected | nmi_pending | smi_pending);
  }
};

class Vcpu final : private cpu::Bus, private devices::Lapic::World, private devices::Clock {
 public:
  Vcpu(Vm& vm, u32 id, u32 index, RunPages pages);
  ~Vcpu() override;

  u32 id() const { return id_; }
  Vm& vm() { return vm_; }
  kvm_run& run_page() { return *run_; }
  u8* third_run_page() { return pages_.address() + u64{kCoalescedMmioPageOffset} * 4096; }

  // As ioctl(2) on a vcpu descriptor: EINVAL for an unknown number, EIO from another process.
  Result<int> ioctl(u32 request, u64 argument);
  // KVM_RUN alone: the fast path around the table.
  Result<int> run(u64 argument);

  // From any thread.
  void request_flush(Vm::Flush what);
  void wait_for_flush();
  // Makes a running vcpu look at its events, and a sleeping one wake up.
  void kick();

  devices::Lapic* lapic() { return lapic_.get(); }
  DirtyRing& dirty_ring() { return dirty_ring_; }
  // All vcpus of a VM have one coalesced-MMIO ring: puts it into a mapping of the run pages made by the user.
  void share_coalesced_ring(u8* mapping, std::size_t length_bytes, off_t offset_bytes, int prot);
  void kick_if_pic_reaches();

  // --- ioctls
  Result<kvm_lapic_state> get_lapic();
  Result<int> set_lapic(UserPointer state);
  Result<int> tpr_access_reporting(kvm_tpr_access_ctl& control);
  Result<int> set_vapic_addr(UserPointer address);
  Result<kvm_regs> get_regs();
  void read_regs(kvm_regs& regs) const;  // the same, into the caller's struct
  Result<int> set_regs(const kvm_regs& regs);
  Result<kvm_sregs> get_sregs();
  void read_sregs(kvm_sregs& sregs) const;
  Result<int> set_sregs(const kvm_sregs& sregs);
  Result<kvm_sregs2> get_sregs2();
  Result<int> set_sregs2(const kvm_sregs2& sregs);
  Result<kvm_fpu> get_fpu();
  Result<int> set_fpu(const kvm_fpu& fpu);
  Result<kvm_xsave> get_xsave();
  Result<int> set_xsave(const kvm_xsave& xsave);
  Result<kvm_xcrs> get_xcrs();
  Result<int> set_xcrs(const kvm_xcrs& xcrs);
  Result<kvm_debugregs> get_debugregs();
  Result<int> set_debugregs(const kvm_debugregs& regs);
  Result<int> set_cpuid(UserPointer list);
  Result<int> set_cpuid2(UserPointer list);
  Result<int> get_cpuid2(UserPointer list);
  Result<int> get_msrs(UserPointer list);
  Result<int> set_msrs(UserPointer list);
  Result<kvm_mp_state> get_mp_state();
  Result<int> set_mp_state(const kvm_mp_state& state);
  Result<kvm_vcpu_events> get_vcpu_events();
  Result<int> set_vcpu_events(const kvm_vcpu_events& events);
  Result<int> translate(kvm_translation& translation);
  Result<int> interrupt(const kvm_interrupt& interrupt);
  Result<int> nmi();
  Result<int> smi();
  Result<int> set_guest_debug(const kvm_guest_debug& debug);
  Result<int> set_signal_mask(UserPointer mask);
  Result<int> set_tsc_khz(u64 khz);
  Result<int> get_tsc_khz();
  Result<int> enable_cap(const kvm_enable_cap& cap);
  Result<int> kvmclock_ctrl();
  Result<int> x86_setup_mce(const u64& capabilities);
  Result<int> x86_set_mce(const kvm_x86_mce& mce);
  Result<int> get_one_reg(const kvm_one_reg& reg);
  Result<int> set_one_reg(const kvm_one_reg& reg);
  Result<int> get_reg_list(kvm_reg_list& list);
  Result<int> get_nested_state(UserPointer state);
  Result<int> set_nested_state(const kvm_nested_state& state);
  Result<int> has_device_attr(const kvm_device_attr& attribute);
  Result<int> get_device_attr(const kvm_device_attr& attribute);
  Result<int> set_device_attr(const kvm_device_attr& attribute);
  Result<int> pre_fault_memory(UserPointer range);
  Result<int> get_stats_fd();
  Result<int> memory_encrypt_op();

  static std::span<const Row<Vcpu>> rows();

 private:
  // What the last exit still needs before the guest can go on.
  enum class Completion : u8 { none, io, mmio, msr_read, msr_write, hypercall };
  // Where the run loop goes after a stop.
  enum class Next : u8 { run, exit };

  // cpu::Bus
  cpu::Page page(Gpa page_address, cpu::Access access) override;
  cpu::Reply port_in(u16 port, unsigned size_bytes, void* data) override;
  cpu::Reply port_out(u16 port, unsigned size_bytes, const void* data) override;
  cpu::Reply mmio_read(Gpa address, unsigned size_bytes, void* data) override;
  cpu::Reply mmio_write(Gpa address, unsigned size_bytes, const void* data) override;
  cpu::Reply read_msr(u32 index, u64& value) override;
  cpu::Reply write_msr(u32 index, u64 value) override;
  cpu::Reply allow_msr(u32 index, bool is_write) override;
  cpu::Reply refused_msr(u32 index, bool is_write) override;
  CpuidResult cpuid(u32 leaf, u32 subleaf) override;
  CpuidResult processor(u32 leaf, u32 subleaf) override;
  u64 read_tsc() override;
  u64 random() override;
  bool has_quirk(Quirk which) override;
  int acknowledge_interrupt() override;
  cpu::Reply write_cr8(u8 value) override;
  u8 read_cr8() override;

  // devices::Lapic::World, devices::Clock
  void send_ipi(const devices::ApicMessage& message, const devices::Lapic& source) override;
  void end_of_interrupt(u8 vector, bool is_level_triggered, const devices::Lapic& source) override;
  s64 now_ns() override;
  u64 tsc() override;
  u64 tsc_khz() override;

  // vcpu_lapic.cpp
  std::optional<cpu::Reply> lapic_read(Gpa address, unsigned size_bytes, void* data);
  std::optional<cpu::Reply> lapic_write(Gpa address, unsigned size_bytes, const void* data);
  void read_lapic_register(u32 offset, unsigned size_bytes, void* data);
  void accept_apic_events();
  bool has_init_or_sipi() const;
  void expire_timers() {
    if (lapic_) expire_timers_of_chips();
  }
  void expire_timers_of_chips();
  bool has_interrupt() const { return (lapic_ || pending_external_vector_ >= 0) && finds_interrupt(); }
  bool finds_interrupt() const;
  u8 current_cr8() const { return lapic_ ? lapic_->tpr() >> 4 : cr8_; }

  // run.cpp
  Result<int> run_ioctl(u64 argument);
  Result<int> run_guest(SignalScope& signals);
  // `work` is a call into the CPU; Stop::host_fault if a host page that it used has vanished.
  template <class Work>
  cpu::Stop guarded(Work work);
  Result<int> run_uninitialized(SignalScope& signals, bool immediate_exit);
  Result<int> load_sync_regs();
  void store_sync_regs();
  Result<Next> complete_pending();
  Result<Next> finish_completion(cpu::Stop stop);
  cpu::Stop complete_read(Completion pending);
  Result<int> run_loop(SignalScope& signals);
  cpu::Stop run_slice();
  // True: the CPU has got events, so what it did not deliver must be taken back.
  bool load_events() {
    const bool has_events = !events_.is_idle() || state().nmi_pending || state().smi_pending;
    if (has_events) [[unlikely]]
      inject_events();
    if (has_interrupt()) [[unlikely]]
      state().attention.fetch_or(cpu::kAttentionInterrupt);
    if (run_->request_interrupt_window) [[unlikely]]
      state().attention.fetch_or(cpu::kAttentionWindow);
    return has_events;
  }
  void inject_events();
  void take_events_back();
  void save_new_event();
  void save_run_state();
  bool is_ready_for_interrupt() const;
  void handle_flush();
  Result<int> halt(SignalScope& signals);
  bool has_wakeup_event();
  s64 next_deadline_ns() const;

  // guest_debug.cpp
  u64 linear_rip() const;
  bool peek(u64 linear, void* data, unsigned size_bytes);
  void exit_debug(u8 exception, u64 dr6, u64 dr7);
  void exit_emulated_step();
  bool is_stepping() const;
  u64 debug_exit_dr7() const;
  void set_visible_rflags(u64 rflags);
  u64 visible_rflags() const;
  void forget_step(bool is_emulated);
  bool hits_breakpoint();
  std::array<u64, 4> watched_values();
  cpu::Stop run_debugged();

  // vcpu_misc.cpp
  Result<int> pre_fault(kvm_pre_fault_memory& range);

  // exits.cpp
  Result<Next> handle_stop(cpu::Stop stop);
  void exit_io(const cpu::StopInfo& info);
  void exit_mmio(const cpu::StopInfo& info, bool is_write);
  void exit_internal_error(const cpu::StopInfo& info);
  void exit_msr(const cpu::StopInfo& info, bool is_write);
  Result<Next> exit_hypercall();
  Result<Next> finish_hypercall(u64 answer);
  bool is_lapic_exit(const cpu::StopInfo& info) const;
  Result<Next> exit_lapic(const cpu::StopInfo& info, bool is_write);
  // The reason for which user space wants to answer this access, or 0.
  u32 msr_exit_reason_for(u32 index, bool is_write) const;
  // The one state that KVM_SET_SREGS lets through and VMRUN refuses: a 64-bit code segment with D set.
  bool is_refused_by_hardware() const {
    const cpu::State& s = state();
    return (s.efer & cpu::EFER_LMA) && s.seg[cpu::CS].l() && s.seg[cpu::CS].db();
  }
  Result<int> exit_fail_entry();
  void init_registers();
  void set_reset_state();
  void drop_completion();
  void note_instruction(Diagnostics& diagnostics, const cpu::StopInfo& info);

  // sregs.cpp
  bool are_valid_sregs(const kvm_sregs& sregs);
  bool is_valid_apic_base(u64 value) const;
  bool is_valid_cr4(u64 cr4);
  bool is_valid_efer(u64 efer);
  Result<int> set_common_sregs(const kvm_sregs& sregs, bool load_pdptrs);
  void load_pdptrs_from_memory();

  // cpuid.cpp
  Result<int> set_cpuid_entries(std::vector<kvm_cpuid_entry2> entries);
  void update_cpuid_runtime(std::vector<kvm_cpuid_entry2>& entries);
  const kvm_cpuid_entry2* find_cpuid(u32 leaf, u32 subleaf) const;
  bool has_cpuid_bit(u32 leaf, u32 kvm_cpuid_entry2::*reg, unsigned bit) const;
  unsigned max_physical_bits() const;

  // fpu.cpp
  u64 supported_xcr0() const;
  bool is_valid_xcr0(u64 value) const;
  u64 guest_xcr0() const;
  void note_components_in_use();

  // msrs.cpp. False: the kernel would refuse it from user space (host) or raise #GP (guest).
  bool get_msr(u32 index, u64& value, bool from_host);
  bool set_msr(u32 index, u64 value, bool from_host);
  bool is_known_msr(u32 index) const;

  // mce.cpp
  bool is_mce_msr(u32 index) const;
  u64 mcg_cap() const;
  bool get_mce_msr(u32 index, u64& value, bool from_host);
  bool set_mce_msr(u32 index, u64 value, bool from_host);

  void apply_exception_payload();
  void set_smm(const kvm_vcpu_events_smi& smi);
  void set_apic_base(u64 value);
  void set_cr8(u8 value);
  u8* coalesced_ring() { return vm_.coalesced_ring(); }
  bool has_lapic() const { return has_lapic_; }
  bool is_bsp() const { return id_ == vm_.config().boot_cpu_id; }
  cpu::State& state() { return cpu_.state(); }
  const cpu::State& state() const { return cpu_.state(); }
  // Looks first: an atomic change costs more than the rest of a short run.
  void clear_attention(u32 bits) {
    std::atomic<u32>& attention = state().attention;
    if (attention.load(std::memory_order_relaxed) & bits) attention.fetch_and(~bits);
  }
  void queue_exception(u8 vector, std::optional<u32> error_code = std::nullopt);

  Vm& vm_;
  const u32 id_, index_;
  const bool has_lapic_;
  RunPages pages_;
  DirtyRing dirty_ring_;
  kvm_run* run_;
  cpu::Cpu cpu_;
  BiasedMutex mutex_;

  Completion completion_ = Completion::none;
  bool state_changed_ = false, translations_changed_ = false;
  bool has_run_ = false;
  u32 mp_state_ = 0;
  Events events_;
  u64 smi_count_ = 0;
  u64 apic_base_ = 0;
  u8 cr8_ = 0;
  std::unique_ptr<devices::Lapic> lapic_;
  bool reports_tpr_access_ = false;
  u64 access_rip_ = 0;  // of the instruction under way, while TPR accesses are reported
  bool has_run_since_xsave_ = false;
  u64 xstate_bv_ = 0;                 // components that KVM_GET_XSAVE shows (the header of the kernel's copy)
  std::optional<u8> pending_eoi_;     // an EOI that user space's I/O APIC wants to know
  int pending_external_vector_ = -1;  // KVM_INTERRUPT with a split irqchip
  // Guest instructions between two looks for signals: a few tens of microseconds.
  static constexpr u64 kSliceInstructions = 20000;
  u32 guest_debug_ = 0;
  std::array<u64, 8> debug_registers_{};
  std::vector<kvm_cpuid_entry2> cpuid_;
  std::map<u32, u64> msrs_;
  u64 tsc_khz_ = 0;
  std::optional<u64> signal_mask_;
  RandomNumbers random_;
  Slot* last_slot_ = nullptr;
  u64 last_slot_version_ = 0;

  // Shared with other threads.
  std::atomic<u32> flush_wish_{0};
  std::atomic<bool> in_guest_{false};
  WakeUp wake_up_;
};

// The interpreter uses host pages without asking; one that its user unmaps meanwhile faults, and the fault comes here.
template <class Work>
__attribute__((noinline)) cpu::Stop Vcpu::guarded(Work work) {
  HostFaultScope scope;
  if (__builtin_setjmp(scope.resume) == 0) return work();
  if (!vm_.slots().covers_host(scope.address)) scope.die();
  return cpu_.host_page_vanished();
}

}  // namespace mock::vm
