// Running a guest that user space debugs: one instruction at a time, looking for breakpoints before and after each.
// KVM_SET_GUEST_DEBUG, api.rst 4.87. A data breakpoint notices a write by its effect: one that stores what was there
// already, and reads, are not noticed.
#include <cstring>

#include "kvmapi/exit.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

constexpr u64 kDr6Fixed = 0xffff0ff0, kDr6SingleStepBit = 1u << 14;
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

void Vcpu::exit_debug(u8 exception, u64 dr6) {
  const u64 dr7 = guest_debug_ & kGuestdbgUseHwBp ? debug_registers_[7] : state().dr7;
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

// Breakpoints that hit before the next instruction runs.
bool Vcpu::hits_breakpoint() {
  const u64 at = linear_rip();
  if (guest_debug_ & kGuestdbgUseHwBp) {
    const u64 dr7 = debug_registers_[7];
    u64 hits = 0;
    for (unsigned i = 0; i < 4; ++i)
      if (is_on(dr7, i) && condition(dr7, i) == kExecute && debug_registers_[i] == at) hits |= u64{1} << i;
    if (hits && !(cpu_.rflags() & RF)) {
      exit_debug(DB, kDr6Fixed | hits);
      return true;
    }
  }
  u8 opcode;
  if ((guest_debug_ & kGuestdbgUseSwBp) && peek(at, &opcode, 1) && opcode == kInt3) {
    exit_debug(BP, 0);
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

// One instruction. Stop::debug: an exit is prepared.
Stop Vcpu::run_debugged() {
  if (events_.exception.injected || events_.exception.pending) return cpu_.run(1);
  if (hits_breakpoint()) return Stop::debug;
  const bool watches = guest_debug_ & kGuestdbgUseHwBp;
  const std::array<u64, 4> before = watches ? watched_values() : std::array<u64, 4>{};
  const u64 retired = cpu_.instructions_retired();
  const Stop stop = cpu_.run(1);
  if (stop != Stop::budget || cpu_.instructions_retired() == retired) return stop;
  u64 dr6 = guest_debug_ & kGuestdbgSinglestep ? kDr6SingleStepBit : 0;
  if (watches) {
    const std::array<u64, 4> after = watched_values();
    for (unsigned i = 0; i < 4; ++i)
      if (before[i] != after[i]) dr6 |= u64{1} << i;
  }
  if (!dr6) return stop;
  exit_debug(DB, kDr6Fixed | dr6);
  return Stop::debug;
}

}  // namespace mock::vm
