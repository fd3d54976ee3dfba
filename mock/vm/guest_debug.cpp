// Running a guest that user space debugs. KVM_SET_GUEST_DEBUG, api.rst 4.87. Single steps are the guest's own TF, set
// behind its back, as kvm_amd does it: an exception pushes TF and clears it, so that handlers are not stepped through,
// and an instruction that KVM's emulator finishes loses it. With breakpoints the guest runs one instruction at a time,
// and they are looked for before and after each. A data breakpoint notices a write by its effect: one that stores what
// was there already, and reads, are not noticed.
#include <cstring>

#include "kvmapi/exit.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u64 kDr6Fixed = 0xffff0ff0, kDr6SingleStep = 1u << 14;
constexpr u8 kInt3 = 0xcc;
enum Condition : unsigned { kExecute = 0, kWrite = 1, kIo = 2, kReadWrite = 3 };

bool is_on(u64 dr7, unsigned i) { return (dr7 >> (2 * i)) & 3; }
Condition condition(u64 dr7, unsigned i) { return static_cast<Condition>((dr7 >> (16 + 4 * i)) & 3); }
unsigned length(u64 dr7, unsigned i) {
  static constexpr unsigned kLengths[] = {1, 2, 8, 4};
  return kLengths[(dr7 >> (18 + 4 * i)) & 3];
}

}  // namespace

u64 Vcpu::linear_rip() const {
  const State& s = state();
  const bool is_64bit = (s.efer & EFER_LMA) && s.seg[CS].l();
  return is_64bit ? s.rip : static_cast<u32>(s.seg[CS].base + s.rip);
}

bool Vcpu::peek(u64 linear, void* data, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    Gpa gpa;
    if (!cpu_.translate(linear + i, gpa)) return false;
    const cpu::Page found = page(Gpa{gpa.value & ~(kPageSize - 1)}, Access::read);
    if (found.kind != cpu::Page::Kind::ram) return false;
    static_cast<u8*>(data)[i] = found.host[gpa.value % kPageSize];
  }
  return true;
}

void Vcpu::exit_debug(u8 exception, u64 dr6, u64 dr7) {
  run_->exit_reason = static_cast<u32>(Exit::Debug);
  auto payload = run_->exit.as<kvm_exit_debug>();
  payload.arch.exception = exception;
  payload.arch.pc = linear_rip();
  if (exception == DB) {
    payload.arch.dr6 = dr6;
    payload.arch.dr7 = dr7;
  }
  run_->exit.set(payload);
}

// kvm_vcpu_do_singlestep() says nothing about DR7: what was there before stays.
void Vcpu::exit_emulated_step() {
  exit_debug(DB, kDr6Fixed | kDr6SingleStep, run_->exit.as<kvm_exit_debug>().arch.dr7);
}

u64 Vcpu::debug_exit_dr7() const { return guest_debug_ & kGuestdbgUseHwBp ? debug_registers_[7] : state().dr7; }

// Breakpoints that hit before the next instruction runs.
bool Vcpu::hits_breakpoint() {
  const u64 at = linear_rip();
  if (guest_debug_ & kGuestdbgUseHwBp) {
    const u64 dr7 = debug_registers_[7];
    u64 hits = 0;
    for (unsigned i = 0; i < 4; ++i)
      if (is_on(dr7, i) && condition(dr7, i) == kExecute && debug_registers_[i] == at) hits |= u64{1} << i;
    if (hits && !(cpu_.rflags() & RF)) {
      exit_debug(DB, kDr6Fixed | hits, debug_exit_dr7());
      return true;
    }
  }
  u8 opcode;
  if ((guest_debug_ & kGuestdbgUseSwBp) && peek(at, &opcode, 1) && opcode == kInt3) {
    exit_debug(BP, 0, 0);
    return true;
  }
  return false;
}

std::array<u64, 4> Vcpu::watched_values() {
  std::array<u64, 4> values{};
  const u64 dr7 = debug_registers_[7];
  for (unsigned i = 0; i < 4; ++i)
    if (is_on(dr7, i) && condition(dr7, i) != kExecute) peek(debug_registers_[i], &values[i], length(dr7, i));
  return values;
}

bool Vcpu::is_stepping() const { return guest_debug_ & kGuestdbgSinglestep; }

// kvm_get_rflags().
u64 Vcpu::visible_rflags() const { return cpu_.rflags() & ~u64{is_stepping() ? TF : 0u}; }

// kvm_set_rflags(): TF comes back where steps were asked for.
void Vcpu::set_visible_rflags(u64 rflags) {
  cpu_.set_rflags(rflags | (is_stepping() && linear_rip() == state().owner.step_rip ? TF : 0u));
}

// An exit to user space was the stepped instruction's: its trap is not the guest's.
// QUIRK(kvm, all, x86_emulate_instruction): the emulator stores RFLAGS without TF.
void Vcpu::forget_step(bool is_emulated) {
  if (events_.exception.pending && events_.exception.vector == DB) events_.exception = {};
  if (is_emulated) set_visible_rflags(visible_rflags());
}

// Stop::debug: an exit is prepared.
Stop Vcpu::run_debugged() {
  const bool has_breakpoints = guest_debug_ & (kGuestdbgUseHwBp | kGuestdbgUseSwBp);
  const bool watches = guest_debug_ & kGuestdbgUseHwBp;
  if (has_breakpoints && (events_.exception.injected || events_.exception.pending)) return cpu_.run(1);
  if (has_breakpoints && hits_breakpoint()) return Stop::debug;
  const std::array<u64, 4> before = watches ? watched_values() : std::array<u64, 4>{};
  Stop stop = cpu_.run(has_breakpoints ? 1 : kSliceInstructions);
  u64 hits = stop == Stop::debug ? cpu_.stop_info().dr6 : 0;
  // An exit of another kind ends the step as well.
  if (is_stepping() && state().event.kind == Event::Kind::exception && state().event.vector == DB) state().event = {};
  if (watches && (stop == Stop::debug || stop == Stop::budget)) {
    const std::array<u64, 4> after = watched_values();
    for (unsigned i = 0; i < 4; ++i)
      if (before[i] != after[i]) hits |= u64{1} << i;
  }
  if (!hits) return stop;
  if (hits == kDr6SingleStep && cpu_.stop_info().is_intercepted) return exit_emulated_step(), Stop::debug;
  exit_debug(DB, kDr6Fixed | hits, debug_exit_dr7());
  return Stop::debug;
}

}  // namespace mock::vm
