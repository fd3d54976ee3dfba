// Limits that concern single steps and the interrupt shadow.
#include <algorithm>

#include "conformance/random/limit_row.hpp"

namespace conformance::random {
namespace {

using kvmapi::Exit;

constexpr u64 kIf = 0x200, kRf = 0x10000;
constexpr u8 kShadows = 3;  // KVM_X86_SHADOW_INT_MOV_SS, KVM_X86_SHADOW_INT_STI: kvm_amd does not tell them apart

// RFLAGS that the code went on with after the last exit.
u64 flags_before(const Scene& s) {
  const auto handler = fault_of(s.outcome.before, s.ram_a, s.program.variant.mode);
  if (!handler) return s.outcome.before.regs.rflags;
  return s.program.returns ? handler->rflags : s.program.regs.rflags;
}

bool known_words_alone(const Scene& s, std::initializer_list<std::string_view> fields) {
  return differs_in(
      s, [&](const std::string& path) { return std::find(fields.begin(), fields.end(), path) != fields.end(); });
}

// A step over STI with IF set before; or the next instruction reads a device.
bool shadows_again(const Scene& s) {
  const bool is_step = s.a_exits(Exit::Debug) && s.b_exits(Exit::Debug);
  return (is_step || s.is_mmio()) && flags_before(s) & kIf &&
         is_one_of(s.ending_at(s.outcome.a.regs.rip), {ZYDIS_MNEMONIC_STI}) && !s.outcome.a.events.interrupt.shadow &&
         s.outcome.b.events.interrupt.shadow == kShadows &&
         known_words_alone(s, {"events.interrupt.shadow", "run.ready_for_interrupt_injection"});
}

constexpr std::initializer_list<ZydisMnemonic> kShadowing = {ZYDIS_MNEMONIC_STI, ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_POP,
                                                             ZYDIS_MNEMONIC_LSS};

bool opens_window_past_jump(const Scene& s) {
  const u64 rip = s.outcome.a.regs.rip;
  const auto jump = s.ending_at(rip), next = s.at(rip);
  return jump && next && jump->info.meta.category == ZYDIS_CATEGORY_COND_BR &&
         is_one_of(s.ending_at(rip - jump->info.length), kShadowing) && s.outcome.b.regs.rip == rip + next->info.length;
}

// MOV SS or the like, a conditional jump, and a read of device memory.
bool shadows_past_jump(const Scene& s) {
  if (s.a_exits(Exit::IrqWindowOpen) && s.b_exits(Exit::IrqWindowOpen)) return opens_window_past_jump(s);
  if (!s.is_mmio() || s.outcome.a.events.interrupt.shadow || s.outcome.b.events.interrupt.shadow != kShadows)
    return false;
  const auto jump = s.ending_at(s.outcome.a.regs.rip);
  if (!jump || jump->info.meta.category != ZYDIS_CATEGORY_COND_BR) return false;
  return is_one_of(s.ending_at(s.outcome.a.regs.rip - jump->info.length), kShadowing) &&
         known_words_alone(s, {"events.interrupt.shadow", "run.ready_for_interrupt_injection"});
}

// STI, INT n: the mock sees the open window at the handler's first instruction, the kernel after that.
bool shadows_handler(const Scene& s) {
  if (!s.a_exits(Exit::IrqWindowOpen) || !s.b_exits(Exit::Hlt) || !s.is_handler() || !s.fault_a) return false;
  if (s.outcome.a.regs.rip % 8 || s.outcome.b.regs.rip != s.outcome.a.regs.rip + 1) return false;
  const auto interrupt = s.ending_at(s.fault_a->rip);
  return is_one_of(interrupt, {ZYDIS_MNEMONIC_INT, ZYDIS_MNEMONIC_INT1, ZYDIS_MNEMONIC_INT3, ZYDIS_MNEMONIC_INTO}) &&
         is_one_of(s.ending_at(s.fault_a->rip - interrupt->info.length), {ZYDIS_MNEMONIC_STI}) &&
         known_words_alone(s, {"exit_reason", "regs.rip"});
}

// INS or OUTS with a count of 0: the emulator finishes it, with a step even if TF is gone, and without DR7.
bool steps_without_count(const Scene& s) {
  if (!s.program.variant.single_step || !s.b_exits(Exit::Debug)) return false;
  const bool is_there = s.a_exits(Exit::Debug) && s.outcome.a.regs.rip == s.outcome.b.regs.rip;
  if (is_there && !known_words_alone(s, {"debug.dr7"})) return false;
  const kvmapi::kvm_regs &before = s.outcome.before.regs, &now = s.outcome.b.regs;
  const auto instruction = s.ending_at(now.rip);
  if (!instruction || instruction->info.meta.category != ZYDIS_CATEGORY_IOSTRINGOP || !instruction->is_repeated())
    return false;
  const bool has_transferred = before.rip == now.rip - instruction->info.length && instruction->count(before);
  return !has_transferred && !instruction->count(now);
}

// After the exit of a step over CPUID the kernel steps no more: it does not stop, or pushes no TF.
bool skips_without_tf(const Scene& s) {
  const Snapshot& before = s.outcome.before;
  if (!s.program.variant.single_step) return false;
  const bool is_halt = before.reason() == Exit::Hlt && before.regs.rip >= kCode && before.regs.rip < kCodeEnd;
  if (before.reason() != Exit::Debug && !is_halt) return false;
  if (!is_halt &&
      !is_one_of(s.ending_at(before.regs.rip), {ZYDIS_MNEMONIC_CPUID, ZYDIS_MNEMONIC_INVD, ZYDIS_MNEMONIC_WBINVD}))
    return false;
  if (s.a_exits(Exit::Debug)) {
    const auto next = s.at(before.regs.rip);
    return next && s.outcome.a.regs.rip == before.regs.rip + next->info.length &&
           s.outcome.b.regs.rip != s.outcome.a.regs.rip;
  }
  return s.fault_a && s.only_memory([&](u64 at, u64 a, u64 b) {
    const u64 tf_at = s.fault_a->rflags_at + 1 - at;
    const u64 tf = u64{1} << 8 * (tf_at & 7), rf = tf << 8;
    return (tf_at < 8 && (a & ~b) == tf && !(b & ~a & ~rf)) || explain_word(s, at, a, b);
  });
}

// A step that ends with the IRET of a handler, while KVM lets an NMI in by a step of its own.
bool clears_rf_of_iret(const Scene& s) {
  const auto handler = fault_of(s.outcome.before, s.ram_a, s.program.variant.mode);
  return s.a_exits(Exit::Debug) && s.b_exits(Exit::Debug) && handler &&
         s.outcome.a.regs.rflags == (s.outcome.b.regs.rflags | kRf) && known_words_alone(s, {"regs.rflags"});
}

// OUT to port 7eh: the skip comes before the exit, and its end of the step takes the exit's place.
bool steps_over_port_7e(const Scene& s) {
  return s.program.variant.single_step && s.a_exits(Exit::Io) && s.b_exits(Exit::Debug) &&
         s.outcome.a.run.exit.as<kvmapi::kvm_exit_io>().port == 0x7e && s.outcome.a.regs.rip == s.outcome.b.regs.rip;
}

constexpr LimitRow kRows[] = {
    {{"step_over_port_7e",
      "KVM skips OUT to port 7Eh before its exit, and the end of the step takes the exit's place; kvm_fast_pio_out()"},
     steps_over_port_7e},
    {{"iret_clears_rf",
      "QEMU TCG clears the RF that IRET has loaded if RF was set before it, which KVM does to let an NMI in"},
     clears_rf_of_iret},
    {{"sti_shadows_again",
      "QEMU TCG begins an interrupt shadow at STI though interrupts were enabled before; SDM vol. 2, STI"},
     shadows_again},
    {{"shadow_lasts_past_jump",
      "QEMU TCG holds the interrupt shadow over a conditional jump to the end of the instruction after it"},
     shadows_past_jump},
    {{"shadow_lasts_in_handler",
      "QEMU TCG holds the shadow of STI over the delivery of INT n; SDM vol. 2, STI: until the next instruction's end"},
     shadows_handler},
    {{"string_io_without_count",
      "QEMU TCG intercepts repeated INS and OUTS with a count of 0, and KVM's emulator ends the step"},
     steps_without_count},
    {{"skip_clears_tf",
      "without the processor's next RIP, which QEMU TCG does not give, KVM skips an intercepted instruction by its "
      "emulator, and if RF was set stores RFLAGS without the TF of single steps; x86_emulate_instruction()"},
     skips_without_tf},
};

}  // namespace

std::span<const LimitRow> debug_limits() { return kRows; }

}  // namespace conformance::random
