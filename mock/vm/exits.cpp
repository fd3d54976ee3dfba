// What a stop of the CPU becomes in struct kvm_run: exit reason, payload, and what the next KVM_RUN must complete.
// api.rst section 5.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kvmapi/exit.hpp"
#include "mock/cpu/disassembly.hpp"
#include "mock/cpu/guest_memory.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u32 exit_number(Exit exit) { return static_cast<u32>(exit); }
constexpr u16 kQuirkPort7e = 0x7e;

}  // namespace

Result<Vcpu::Next> Vcpu::handle_stop(Stop stop) {
  const StopInfo& info = cpu_.stop_info();
  kvm_run& run = *run_;
  switch (stop) {
    case Stop::budget:
    case Stop::attention:
      return Next::run;
    case Stop::hlt:
      if (has_lapic_) {
        mp_state_ = kMpStateHalted;
        return Next::run;
      }
      if (vm_.has_defect(Defect::hlt_rip_not_advanced)) {
        --state().rip;
        state_changed_ = true;
      }
      run.exit_reason = exit_number(Exit::Hlt);
      return Next::exit;
    case Stop::io:
      exit_io(info);
      return Next::exit;
    case Stop::mmio_read:
    case Stop::mmio_write:
      if (lapic_ && is_lapic_exit(info)) return exit_lapic(info, stop == Stop::mmio_write);
      exit_mmio(info, stop == Stop::mmio_write);
      return Next::exit;
    case Stop::msr_read:
    case Stop::msr_write:
      if (pending_eoi_) return exit_lapic(info, true);
      exit_msr(info, stop == Stop::msr_write);
      return Next::exit;
    case Stop::hypercall:
      return exit_hypercall();
    case Stop::set_tpr:
      run.exit_reason = exit_number(Exit::SetTpr);
      return Next::exit;
    case Stop::debug:  // run_debugged() has filled it in
      return Next::exit;
    case Stop::shutdown:
      // QUIRK(AMD, all, shutdown_interception): the vcpu is INITed before the exit.
      if (vm_.has_defect(Defect::shutdown_is_hlt)) {
        run.exit_reason = exit_number(Exit::Hlt);
        return Next::exit;
      }
      init_registers();
      run.exit_reason = exit_number(Exit::Shutdown);
      return Next::exit;
    case Stop::emulation_failure:
      // QUIRK(kvm, all, handle_emulation_failure): outside ring 0 it is the guest's own affair.
      if (state().cpl && !vm_.config().exit_on_emulation_failure) {
        queue_exception(UD);
        return Next::run;
      }
      [[fallthrough]];
    case Stop::unmodelled:
      exit_internal_error(info);
      return Next::exit;
    case Stop::host_fault:
      return err(EFAULT);
    case Stop::no_save_state:
      // QUIRK(kvm, since 6.2, enter_smm): the VM is dead; before, the handler ran without a saved state.
      if (!vm_.profile().since(6, 12)) return Next::run;
      vm_.kill();
      return err(EIO);
    case Stop::bad_save_state:
      // QUIRK(kvm, until 5.13, em_rsm): an emulation failure instead of the shutdown.
      if (!vm_.profile().since(6, 1)) {
        exit_internal_error(info);
        return Next::exit;
      }
      run.exit_reason = exit_number(Exit::Shutdown);
      return Next::exit;
    case Stop::interrupt_window:
      return Next::run;
  }
  return err(EIO);
}

void Vcpu::init_registers() {
  const bool nmi_blocked = state().nmi_blocked;
  cpu_.init();
  // QUIRK(kvm_amd, since 6.4, svm_vcpu_reset): NMIs are unblocked at RESET alone.
  if (vm_.profile().since(6, 4)) state().nmi_blocked = nmi_blocked;
  set_reset_state();
  events_ = {};
  state_changed_ = translations_changed_ = true;
}

void Vcpu::exit_io(const StopInfo& info) {
  kvm_run& run = *run_;
  run.exit_reason = exit_number(Exit::Io);
  const u8 size = vm_.has_defect(Defect::io_size_is_wrong) && info.size == 2 ? 4 : info.size;
  run.exit.set(kvm_exit_io{.direction = info.is_in ? kExitIoIn : kExitIoOut,
                           .size = size,
                           .port = info.port,
                           .count = info.count,
                           .data_offset = u64{kPioPageOffset} * 4096});
  u8* data = pages_.address() + 4096;
  completion_ = Completion::io;
  if (info.is_in) {
    std::memset(data, 0, std::size_t{info.size} * info.count);
    return;
  }
  cpu::copy_to_guest(data, &info.data, info.size);
  // QUIRK(kvm, all, KVM_X86_QUIRK_OUT_7E_INC_RIP): the instruction is skipped before the exit.
  if (info.port == kQuirkPort7e && vm_.has_quirk(kX86QuirkOut7eIncRip)) {
    completion_ = Completion::none;
    (void)guarded([this] { return cpu_.complete(nullptr); });
    save_new_event();
  }
  if (vm_.has_defect(Defect::out_without_rip_advance)) drop_completion();
}

void Vcpu::exit_mmio(const StopInfo& info, bool is_write) {
  kvm_run& run = *run_;
  run.exit_reason = exit_number(Exit::Mmio);
  // Bytes beyond `len` stay what they were. Field by field: a copy of the whole would wait for the bytes.
  u8* const payload = reinterpret_cast<u8*>(run.exit.words.data());
  const u8 is_write_flag = is_write && !vm_.has_defect(Defect::mmio_write_flag_missing);
  std::memcpy(payload + offsetof(kvm_exit_mmio, phys_addr), &info.gpa.value, 8);
  if (is_write) cpu::copy_to_guest(payload + offsetof(kvm_exit_mmio, data), info.bytes.data(), info.length);
  const u32 length = info.length;
  std::memcpy(payload + offsetof(kvm_exit_mmio, len), &length, 4);
  payload[offsetof(kvm_exit_mmio, is_write)] = is_write_flag;
  completion_ = Completion::mmio;
}

// The CPU stopped at the APIC page, not for user space's device: an exit about the access follows it.
bool Vcpu::is_lapic_exit(const StopInfo& info) const {
  return lapic_->covers(info.gpa.value) && lapic_->is_enabled_by_base() && !lapic_->is_x2apic();
}

Result<Vcpu::Next> Vcpu::exit_lapic(const StopInfo& info, bool is_write) {
  kvm_run& run = *run_;
  const u64 rip = access_rip_;
  std::array<u8, 8> data{};
  if (!is_write) read_lapic_register(info.gpa.value & 0xfff, info.length, data.data());
  const Stop rest = guarded([&] {
    return cpu_.stop_info().reason == Stop::msr_write ? cpu_.complete_msr(false, 0) : cpu_.complete(data.data());
  });
  save_new_event();
  if (pending_eoi_) {
    run.exit_reason = exit_number(Exit::IoapicEoi);
    run.exit.set(kvm_exit_eoi{.vector = *std::exchange(pending_eoi_, std::nullopt)});
    return Next::exit;
  }
  if (rest != Stop::budget && rest != Stop::attention) return handle_stop(rest);
  run.exit_reason = exit_number(Exit::TprAccess);
  run.exit.set(kvm_exit_tpr_access{.rip = rip, .is_write = is_write, .pad = 0});
  return Next::exit;
}

u32 Vcpu::msr_exit_reason_for(u32 index, bool is_write) const {
  const u64 mask = vm_.config().user_space_msr_mask.load(std::memory_order_relaxed);
  const u32 reason = !vm_.allows_msr(index, is_write) ? kMsrExitReasonFilter
                     : is_known_msr(index)            ? kMsrExitReasonInval
                                                      : kMsrExitReasonUnknown;
  return mask & reason ? reason : 0;
}

void Vcpu::exit_msr(const StopInfo& info, bool is_write) {
  kvm_run& run = *run_;
  run.exit_reason = exit_number(is_write ? Exit::X86Wrmsr : Exit::X86Rdmsr);
  auto payload = run.exit.as<kvm_exit_msr>();
  payload.error = 0;
  payload.pad = {};
  payload.reason = msr_exit_reason_for(info.msr, is_write);
  payload.index = info.msr;
  if (is_write) payload.data = info.msr_value;
  run.exit.set(payload);
  completion_ = is_write ? Completion::msr_write : Completion::msr_read;
}

// kvm_emulate_hypercall(): answered here (-KVM_ENOSYS), except the ones that user space asked for.
Result<Vcpu::Next> Vcpu::exit_hypercall() {
  constexpr u64 kMapGpaRange = 12, kEnosys = 1000, kEperm = 1;
  const State& s = state();
  const bool is_64bit = cpu_.core().is_64bit();
  const u64 mask = is_64bit ? ~u64{0} : 0xffffffff;
  const u64 nr = s.gpr[RAX] & mask, gpa = s.gpr[RBX] & mask, pages = s.gpr[RCX] & mask, attributes = s.gpr[RDX] & mask;
  u64 answer = static_cast<u64>(-static_cast<s64>(kEnosys));
  if (s.cpl != 0) {
    answer = static_cast<u64>(-static_cast<s64>(kEperm));
  } else if (nr == kMapGpaRange && (vm_.config().hypercall_exits & (u64{1} << kMapGpaRange))) {
    if (!pages || (gpa & 0xfff) || (gpa >> 12) + pages <= gpa >> 12)
      return finish_hypercall(static_cast<u64>(-s64{EINVAL}) & mask);
    kvm_run& run = *run_;
    run.exit_reason = exit_number(Exit::Hypercall);
    run.exit.set(kvm_exit_hypercall{.nr = nr, .args = {gpa, pages, attributes, 0, 0, 0}, .ret = 0, .flags = is_64bit});
    completion_ = Completion::hypercall;
    return Next::exit;
  }
  return finish_hypercall(answer & mask);
}

Result<Vcpu::Next> Vcpu::finish_hypercall(u64 answer) {
  return finish_completion(guarded([&] { return cpu_.complete_hypercall(answer); }));
}

// handle_emulation_failure(): the report, and a #UD for a user that goes on.
void Vcpu::exit_internal_error(const StopInfo& info) {
  kvm_run& run = *run_;
  run.exit_reason = exit_number(Exit::InternalError);
  if (!vm_.profile().since(6, 1)) {
    auto internal = run.exit.as<kvm_exit_internal>();
    internal.suberror = kInternalErrorEmulation;
    internal.ndata = 0;
    run.exit.set(internal);
  } else {
    // flags, then (with bytes) their number and the bytes padded with NOPs, then five words about the hardware exit.
    kvm_exit_internal raw{};
    const u32 start = info.instruction_length ? 3 : 1;
    raw.suberror = kInternalErrorEmulation;
    raw.ndata = start + 5;
    run.exit.set(raw);
    if (info.instruction_length) {
      kvm_exit_emulation_failure failure{.suberror = raw.suberror,
                                         .ndata = raw.ndata,
                                         .flags = kInternalErrorEmulationFlagInstructionBytes,
                                         .insn_size = info.instruction_length,
                                         .insn_bytes = {}};
      failure.insn_bytes.fill(0x90);
      std::memcpy(failure.insn_bytes.data(), info.instruction.data(), info.instruction_length);
      run.exit.set(failure);
    }
  }
  if (!vm_.config().exit_on_emulation_failure) queue_exception(UD);
  if (Diagnostics* diagnostics = vm_.context().diagnostics; diagnostics && diagnostics->enabled())
    note_instruction(*diagnostics, info);
}

// Defect out_without_rip_advance: the CPU forgets that the instruction was done, and meets it again.
void Vcpu::drop_completion() {
  completion_ = Completion::none;
  const u64 rip = state().rip;
  state().rip = ~rip;  // a changed RIP makes the CPU drop what it waits for
  static constexpr std::array<u8, 8> kNothing{};
  (void)guarded([&] { return cpu_.complete(kNothing.data()); });
  state().rip = rip;
  state_changed_ = true;
}

void Vcpu::note_instruction(Diagnostics& diagnostics, const StopInfo& info) {
  const u64 rip = state().rip;
  if (!info.instruction_length)
    return diagnostics.note(fmt::format("vcpu {}: no code to fetch at rip {:#x}", id_, rip));
  const std::span<const u8> bytes(info.instruction.data(), info.instruction_length);
  diagnostics.note(fmt::format("vcpu {}: instruction not modelled at rip {:#x}: {} ({:02x})", id_, rip,
                               disassemble(bytes, rip, cpu_.core().code_bits()), fmt::join(bytes, " ")));
}

Result<int> Vcpu::exit_fail_entry() {
  run_->exit_reason = exit_number(Exit::FailEntry);
  run_->exit.set(kvm_exit_fail_entry{.hardware_entry_failure_reason = ~u64{0}, .cpu = 0});
  return 0;
}

}  // namespace mock::vm
