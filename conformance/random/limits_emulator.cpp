// Limits that concern KVM's instruction emulator, which device memory needs, and events whose frames meet a device.
#include <cerrno>

#include "conformance/random/limit_row.hpp"

namespace conformance::random {
namespace {

using kvmapi::Exit;

bool emulator_gives_up(const Scene& s) {
  if (s.b_exits(Exit::InternalError)) return s.outcome.b.run.exit.as<kvmapi::kvm_exit_internal>().suberror == 1;
  // In ring 3 the guest gets #UD instead.
  return s.a_exits(Exit::Mmio) && s.b_raised(6) && s.fault_b->cs & 3;
}

bool enters_by_stack_size(const Scene& s) {
  const auto enter = s.is_mmio() ? s.ending_at(s.outcome.a.regs.rip) : std::nullopt;
  return is_one_of(enter, {ZYDIS_MNEMONIC_ENTER}) && enter->info.operand_width == 16 &&
         differs_in(s, [](const std::string& path) {
           return path.starts_with("mmio.") || path == "regs.rsp" || path == "regs.rbp";
         });
}

bool emulator_reads_dword(const Scene& s) {
  if (!s.is_mmio()) return false;
  const auto instruction = s.at(s.outcome.a.regs.rip);
  return instruction && instruction->info.mnemonic == ZYDIS_MNEMONIC_MOVSXD && instruction->operands[0].size == 16 &&
         s.outcome.b.run.exit.as<kvmapi::kvm_exit_mmio>().len == 4 &&
         differs_in(s, [](const std::string& path) { return path == "mmio.len"; });
}

bool emulator_ignores_prefix(const Scene& s) {
  if (s.outcome.before.reason() != Exit::Mmio) return false;
  return is_one_of(s.at(s.outcome.before.regs.rip), {ZYDIS_MNEMONIC_LZCNT, ZYDIS_MNEMONIC_TZCNT});
}

// The emulator starts POPA and far returns anew with each answer, but with the stack pointer that it has got to.
bool pops_in_parts(const Scene& s) {
  return s.is_mmio() &&
         is_one_of(s.at(s.outcome.a.regs.rip), {ZYDIS_MNEMONIC_POPA, ZYDIS_MNEMONIC_POPAD, ZYDIS_MNEMONIC_IRET,
                                                ZYDIS_MNEMONIC_IRETD, ZYDIS_MNEMONIC_RET}) &&
         differs_in(s, [](const std::string& path) { return path.starts_with("regs.r") || path == "mmio.phys_addr"; });
}

// The mock's handler was entered and its frame goes to device memory, the kernel goes on with the next instruction.
bool pushes_frame_to_device(const Scene& s) {
  return s.a_exits(Exit::Mmio) && s.is_handler() && s.outcome.a.regs.rip % 8 == 0 &&
         s.outcome.a.run.exit.as<kvmapi::kvm_exit_mmio>().is_write && s.outcome.b.regs.rip >= kCode;
}

bool delivers_to_device(const Scene& s) {
  if (pushes_frame_to_device(s)) return true;
  // Or it comes to the handler too, after another of the frame's words.
  const bool begins_handler = s.is_handler() && s.outcome.a.regs.rip % 8 == 0;
  if (s.is_mmio() && begins_handler && s.outcome.a.run.exit.as<kvmapi::kvm_exit_mmio>().is_write)
    return differs_in(s, [](const std::string& path) { return path.starts_with("mmio.") || path == "regs.rsp"; });
  if (s.outcome.b.error != EINTR || s.outcome.a.error) return false;
  const auto& events = s.outcome.b.events;
  if (s.a_exits(Exit::Shutdown)) return events.exception.injected || events.exception.pending;
  return (events.exception.injected || events.exception.pending || events.interrupt.injected || events.nmi.injected) &&
         s.stack_a() >= kRamBytes - 64;
}

constexpr LimitRow kRows[] = {
    {{"emulator_gives_up",
      "KVM's instruction emulator, which device memory needs, does not know the instruction; arch/x86/kvm/emulate.c"},
     emulator_gives_up},
    {{"emulator_enters_by_stack_size",
      "KVM's instruction emulator, which device memory needs, pushes words of the stack's size for ENTER; em_enter()"},
     enters_by_stack_size},
    {{"emulator_reads_dword", "KVM's instruction emulator reads 32 bits for MOVSXD to a 16-bit register"},
     emulator_reads_dword},
    {{"emulator_ignores_prefix", "KVM's instruction emulator takes LZCNT and TZCNT of device memory for BSR and BSF"},
     emulator_ignores_prefix},
    {{"emulator_pops_in_parts",
      "KVM's instruction emulator starts POPA and far returns again after each read of device memory, with the stack "
      "pointer moved on; em_popa(), em_iret()"},
     pops_in_parts},
    {{"delivery_to_device",
      "QEMU TCG does not report the event that was being delivered when a push met device memory"},
     delivers_to_device},
};

}  // namespace

std::span<const LimitRow> emulator_limits() { return kRows; }

}  // namespace conformance::random
