// General registers and debug registers. api.rst 4.11, 4.12, 4.33, 4.34.
#include <cerrno>

#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

void Vcpu::read_regs(kvm_regs& regs) const {
  const auto& gpr = state().gpr;
  regs = {.rax = gpr[RAX],
          .rbx = gpr[RBX],
          .rcx = gpr[RCX],
          .rdx = gpr[RDX],
          .rsi = gpr[RSI],
          .rdi = gpr[RDI],
          .rsp = gpr[RSP],
          .rbp = gpr[RBP],
          .r8 = gpr[R8],
          .r9 = gpr[R9],
          .r10 = gpr[R10],
          .r11 = gpr[R11],
          .r12 = gpr[R12],
          .r13 = gpr[R13],
          .r14 = gpr[R14],
          .r15 = gpr[R15],
          .rip = state().rip,
          .rflags = visible_rflags()};
}

Result<kvm_regs> Vcpu::get_regs() {
  kvm_regs regs;
  read_regs(regs);
  return regs;
}

Result<int> Vcpu::set_regs(const kvm_regs& regs) {
  state().gpr = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
                 regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15};
  state().rip = regs.rip;
  set_visible_rflags(regs.rflags | kFlagsFixedOne);
  if (vm_.has_defect(Defect::rflags_bit1_not_forced)) cpu_.core().flags &= ~kFlagsFixedOne;
  // A pending exception belonged to the old registers; an injected one is being delivered already.
  events_.exception.pending = false;
  state_changed_ = true;
  return 0;
}

Result<kvm_debugregs> Vcpu::get_debugregs() {
  kvm_debugregs regs{};
  regs.db = state().dr;
  regs.dr6 = state().dr6;
  regs.dr7 = state().dr7;
  return regs;
}

Result<int> Vcpu::set_debugregs(const kvm_debugregs& regs) {
  if (regs.flags) return err(EINVAL);
  if ((regs.dr6 >> 32) || (regs.dr7 >> 32)) return err(EINVAL);
  state().dr = regs.db;
  state().dr6 = regs.dr6;
  state().dr7 = regs.dr7;
  state_changed_ = true;
  return 0;
}

}  // namespace mock::vm
