// Limits that concern segment registers, descriptor tables, ports and the delivery of events.
#include <algorithm>
#include <cerrno>

#include "conformance/random/limit_row.hpp"

namespace conformance::random {
namespace {

using kvmapi::Exit;

bool is_null(u64 selector) { return (selector & 0xfffc) == 0; }

// Opcode and ModRM of an instruction without 0F, also of one that no decoder accepts.
struct Opcode {
  u8 opcode, modrm;
  bool has_rex_r;

  u8 reg() const { return modrm >> 3 & 7; }
  bool is_memory() const { return modrm < 0xc0; }
};

Opcode opcode_at(const Scene& s, u64 rip) {
  const bool is_64bit = s.program.variant.bits == 64;
  Opcode found{};
  for (u64 at = rip; at + 1 < kRamBytes && at < rip + 14; ++at) {
    const u8 byte = s.ram_a[at];
    const bool is_rex = is_64bit && byte >> 4 == 4;
    constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    if (is_rex) found.has_rex_r = byte & 4;
    if (is_rex || std::find(std::begin(kPrefixes), std::end(kPrefixes), byte) != std::end(kPrefixes)) continue;
    found.opcode = byte;
    found.modrm = s.ram_a[at + 1];
    break;
  }
  return found;
}

bool makes_null_ss_usable(const Scene& s) {
  const auto &a = s.outcome.a.sregs.ss, &b = s.outcome.b.sregs.ss;
  if (!is_long(s.program.variant.mode) || !is_null(a.selector) || !a.unusable || b.unusable) return false;
  if (b.selector != a.selector || b.base || b.limit != 0xffffffff || b.type != 3 || b.dpl != (b.selector & 3))
    return false;
  return differs_in(s, [](const std::string& path) { return path.starts_with("sregs.ss."); });
}

// Registers that an outward return has made null differ in what no access can see.
bool keeps_dropped_segment(const Scene& s) {
  const kvmapi::kvm_sregs &a = s.outcome.a.sregs, &b = s.outcome.b.sregs;
  const auto is_dropped = [](const kvmapi::kvm_segment& of_a, const kvmapi::kvm_segment& of_b) {
    return of_a.unusable && of_b.unusable && is_null(of_a.selector) && is_null(of_b.selector);
  };
  // Stored since.
  const auto is_selector = [&](u64 of_a, u64 of_b) {
    for (const u64 selector : {b.es.selector, b.ds.selector, b.fs.selector, b.gs.selector})
      for (unsigned byte = 0; byte < 8; ++byte)
        if (selector && of_b - of_a == selector << 8 * byte && !(of_a & 3ull << 8 * byte)) return true;
    return false;
  };
  return differs_in(
      s,
      [&](const std::string& path) {
        return (path.starts_with("sregs.es.") && is_dropped(a.es, b.es)) ||
               (path.starts_with("sregs.ds.") && is_dropped(a.ds, b.ds)) ||
               (path.starts_with("sregs.fs.") && is_dropped(a.fs, b.fs)) ||
               (path.starts_with("sregs.gs.") && is_dropped(a.gs, b.gs));
      },
      is_selector);
}

// The selector that MOV SS or LSS has loaded; -1: another instruction.
int selector_for_ss(const Scene& s) {
  const auto mnemonic = s.instruction->info.mnemonic;
  const bool is_lss = mnemonic == ZYDIS_MNEMONIC_LSS;
  const ZydisDecodedOperand& to = s.instruction->operands[0];
  if (!is_lss && (mnemonic != ZYDIS_MNEMONIC_MOV || to.reg.value != ZYDIS_REGISTER_SS)) return -1;
  const auto accesses = s.instruction->accesses(s.regs);
  if (accesses.empty()) {
    const u64 general[] = {s.regs.rax, s.regs.rcx, s.regs.rdx, s.regs.rbx, s.regs.rsp, s.regs.rbp,
                           s.regs.rsi, s.regs.rdi, s.regs.r8,  s.regs.r9,  s.regs.r10, s.regs.r11,
                           s.regs.r12, s.regs.r13, s.regs.r14, s.regs.r15};
    return general[ZydisRegisterGetId(s.instruction->operands[1].reg.value) & 15] & 0xffff;
  }
  const u64 at = physical(accesses[0].offset) + (is_lss ? to.size / 8u : 0u);
  return at + 1 < kRamBytes ? s.ram_a[at] | s.ram_a[at + 1] << 8 : -1;
}

bool takes_null_ss_of_any_rpl(const Scene& s) {
  if (s.program.variant.bits != 64 || s.program.variant.ring || !s.a_raised(13) || s.fault_a->error_code ||
      !s.instruction)
    return false;
  const int selector = selector_for_ss(s);
  return selector > 0 && is_null(static_cast<u64>(selector));
}

bool reads_before_undefined(const Scene& s) {
  if (!s.a_raised(6)) return false;
  const u64 rip = s.fault_a->rip;
  const Opcode code = opcode_at(s, rip);
  const bool is_segment = code.reg() < 6 && code.reg() != 1;
  if (code.opcode != 0x8e || is_segment || !code.is_memory()) return false;
  if (s.b_exits(Exit::Mmio))
    return s.outcome.b.regs.rip == rip && !s.outcome.b.run.exit.as<kvmapi::kvm_exit_mmio>().is_write;
  return s.fault_b && s.fault_b->rip == rip && s.fault_b->vector >= 12 && s.fault_b->vector <= 14;
}

bool emulator_sees_rex_r(const Scene& s) {
  if (!s.b_raised(6)) return false;
  const u64 rip = s.fault_b->rip;
  const Opcode code = opcode_at(s, rip);
  if ((code.opcode != 0x8c && code.opcode != 0x8e) || !code.has_rex_r || !code.is_memory()) return false;
  if (code.opcode == 0x8e) return s.outcome.before.reason() == Exit::Mmio && s.outcome.before.regs.rip == rip;
  const auto stored = s.at(rip);
  return s.a_exits(Exit::Mmio) && stored && rip + stored->info.length == s.outcome.a.regs.rip;
}

// An operand begins in device memory and ends on another page.
bool crosses_from_device(const Instruction& instruction, const Scene& s) {
  for (const Instruction::Access& access : instruction.accesses(s.regs))
    if (physical(access.offset) >= kRamBytes && access.offset / kPage != (access.offset + access.bytes - 1) / kPage)
      return true;
  return false;
}

// The kernel stays at the instruction for ever, or says at each step that it is still there. The mock has stored, or
// found that the operand's second page is not there.
bool emulator_repeats_table_store(const Scene& s) {
  const bool is_step = s.program.variant.single_step && s.b_exits(Exit::Debug);
  const bool is_trap = s.b_raised(1);
  if (s.outcome.b.error != EINTR && !is_step && !is_trap) return false;
  const u64 rip = is_trap ? s.fault_b->rip : s.outcome.b.regs.rip;
  const auto store = s.at(rip);
  if (!is_one_of(store, {ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT})) return false;
  if (s.a_raised(14)) return s.fault_a->rip == rip && crosses_from_device(*store, s);
  return s.a_exits(Exit::Mmio) && s.outcome.a.run.exit.as<kvmapi::kvm_exit_mmio>().is_write &&
         s.outcome.a.regs.rip == rip + store->info.length;
}

// The mock is about to run a handler whose frame lies in device memory.
bool repeats_interrupted_instruction(const Scene& s) {
  const u64 rip = s.outcome.a.sregs.cs.base + s.outcome.a.regs.rip;
  if (!s.a_exits(Exit::Mmio) || !s.outcome.a.run.exit.as<kvmapi::kvm_exit_mmio>().is_write) return false;
  if (rip < kHandlers || rip >= kHandlers + 0x800 || rip % 8) return false;
  const u64 b_rip = s.outcome.b.regs.rip;
  return s.outcome.b.error == EINTR || (s.b_exits(Exit::Mmio) && b_rip >= kCode && b_rip < kCodeEnd);
}

// The first page of an operand is a device, the second one is not there.
bool gives_up_before_second_page(const Scene& s) {
  if (!s.a_raised(14) || !s.instruction || !s.b_raised(6) || !(s.fault_b->cs & 3) || s.fault_b->rip != s.fault_a->rip)
    return false;
  return is_one_of(s.instruction, {ZYDIS_MNEMONIC_LAR, ZYDIS_MNEMONIC_LSL, ZYDIS_MNEMONIC_VERR, ZYDIS_MNEMONIC_VERW,
                                   ZYDIS_MNEMONIC_BOUND}) &&
         crosses_from_device(*s.instruction, s);
}

bool drops_rf_at_int1(const Scene& s, u64 at, u64 a, u64 b) {
  if (!s.a_raised(1) || s.fault_a->rip == 0 || s.fault_a->rip >= kRamBytes || s.ram_a[s.fault_a->rip - 1] != 0xf1)
    return false;
  const u64 byte = s.fault_a->rflags_at + 2 - at;  // bits 23:16
  return byte < 8 && (a ^ b) == u64{1} << 8 * byte && (a & ~b);
}

// Each handler begins with HLT.
bool overwrites_its_handlers(const Scene& s) {
  for (u64 at = kHandlers; at < kHandlers + 0x800; at += 8)
    if (s.ram_a[at] != 0xf4) return true;
  return false;
}

bool jumps_beyond_limit(const Scene& s) {
  if (s.program.variant.bits != 16 || !s.a_raised(13) || s.fault_a->error_code || !s.instruction) return false;
  const ZydisDecodedOperand& to = s.instruction->operands[0];
  return to.type == ZYDIS_OPERAND_TYPE_POINTER && to.ptr.offset > s.code_sregs.cs.limit;
}

bool has_repetition(const Scene& s, const Chunk& chunk) {
  for (u64 at = 0; at < chunk.size;) {
    const auto instruction = decode(chunk.code, at, s.program.variant.bits);
    if (!instruction) return false;
    if (instruction->is_repeated()) return true;
    at += instruction->info.length;
  }
  return false;
}

// A chunk that is not meant to change itself was changed; without paging that of a repetition.
bool overwrites_its_code(const Scene& s) {
  const Code code = assemble(s.program);
  for (std::size_t i = 0; i < s.program.chunks.size(); ++i) {
    const Chunk& chunk = s.program.chunks[i];
    for (u64 at = 0; at < chunk.size && !chunk.changes_itself; ++at)
      if (const u64 byte = code.starts[i] + at; s.ram_a[byte] != code.bytes[byte - kCode])
        if (has_paging(s.program.variant.mode) || has_repetition(s, chunk)) return true;
  }
  return false;
}

// A gate of INT1 that cannot be used.
bool is_no_external_event(const Scene& s, u64 at, u64 a, u64 b) {
  constexpr u8 kInt1 = 0xf1;
  if (!s.a_raised(13) || !s.b_raised(13) || s.fault_a->rip - 1 >= kRamBytes || s.ram_a[s.fault_a->rip - 1] != kInt1)
    return false;
  const u64 byte = s.stack_a() - at;
  return byte < 8 && (a & ~b) == u64{1} << 8 * byte && !(b & ~a);
}

constexpr WordRow kWords[] = {
    {{"int1_is_internal",
      "QEMU TCG clears EXT of the error code for a gate of INT1 that cannot be used; SDM vol. 3, 6.13: INT1 sets it"},
     is_no_external_event},
    {{"int1_clears_rf",
      "QEMU TCG pushes RF as 0 for INT1 after an IRET that set it; SDM vol. 3, 17.3.1.1: the value at the time"},
     drops_rf_at_int1},
};

constexpr LimitRow kRows[] = {
    {{"null_ss_is_usable",
      "QEMU TCG makes a usable segment of the null SS that IRET loads in 64-bit mode; SDM vol. 3, 5.4.1.1: it is null"},
     makes_null_ss_usable},
    {{"dropped_segment_keeps_base",
      "QEMU TCG leaves base, limit and type of a segment register that an outward return makes null, and the RPL of FS "
      "and GS that were null; SDM vol. 2, IRET"},
     keeps_dropped_segment},
    {{"null_ss_of_any_rpl", "QEMU TCG loads a null SS whose RPL is not CPL in 64-bit mode; SDM vol. 2, MOV: #GP(0)"},
     takes_null_ss_of_any_rpl},
    {{"operand_read_before_undefined",
      "QEMU TCG reads the operand of MOV to CS or to no segment before it raises #UD; APM vol. 2, 8.5 (priorities)"},
     reads_before_undefined},
    {{"handlers_overwritten",
      "the program has overwritten the handlers of exceptions: no limit looks at what runs there then"},
     overwrites_its_handlers},
    {{"far_jump_beyond_limit",
      "QEMU TCG raises #GP of a far jump beyond the limit only at its target; SDM vol. 2, JMP: at the instruction"},
     jumps_beyond_limit},
    {{"code_overwritten",
      "QEMU TCG runs a repetition on, and with paging a block to its end, though a store has changed its code"},
     overwrites_its_code},
    {{"emulator_sees_rex_r",
      "KVM's emulator, which device memory needs, takes REX.R as a part of a segment register's number: #UD; "
      "em_mov_sreg_rm(), em_mov_rm_sreg()"},
     emulator_sees_rex_r},
    {{"emulator_repeats_table_store",
      "KVM's emulator never ends SGDT and SIDT to device memory; emulate_store_desc_ptr()"},
     emulator_repeats_table_store},
    {{"delivery_to_device_repeats",
      "kvm_amd emulates the interrupted instruction again when the frame of an event meets device memory; "
      "npf_interception()"},
     repeats_interrupted_instruction},
    {{"emulator_gives_up",
      "KVM's instruction emulator does not know the instruction, and is asked at the operand's first page"},
     gives_up_before_second_page},
};

}  // namespace

std::span<const WordRow> system_words() { return kWords; }
std::span<const LimitRow> system_limits() { return kRows; }

}  // namespace conformance::random
