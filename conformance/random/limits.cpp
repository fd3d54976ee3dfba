// See limits.hpp. A limit is a pure function of a scene; world a is the mock, b the kernel.
#include "conformance/random/limits.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "conformance/random/limit_row.hpp"

namespace conformance::random {
namespace {

using kvmapi::Exit;

constexpr u64 kAccessed = 0x20, kDirty = 0x40;
constexpr u64 kBothHalves = 0x1'0000'0001;  // two 32-bit table entries in a word
constexpr u64 kArithmetic = 0x8d5, kRf = 0x10000;

const kvmapi::kvm_segment* segment_of(const kvmapi::kvm_sregs& s, ZydisRegister name) {
  const kvmapi::kvm_segment* const all[] = {&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs};
  return name >= ZYDIS_REGISTER_ES && name <= ZYDIS_REGISTER_GS ? all[name - ZYDIS_REGISTER_ES] : nullptr;
}

bool is_beyond(const kvmapi::kvm_segment& segment, u64 offset, unsigned bytes) {
  if (segment.unusable || !segment.present) return true;
  const bool expands_down = (segment.type & 0xc) == 4;
  const u64 last = offset + (bytes ? bytes : 1) - 1;
  if (expands_down) return offset <= segment.limit || last > (segment.db ? 0xffffffff : 0xffff);
  return last > segment.limit;
}

// Read from code that is not readable, written to what is not writable.
bool has_wrong_type(const kvmapi::kvm_segment& segment, bool is_write) {
  const bool is_code = segment.type & 8;
  return is_write ? is_code || !(segment.type & 2) : is_code && !(segment.type & 2);
}

// Those that the code had; handlers keep the segments of data.
const kvmapi::kvm_sregs& segments_of_code(const Scene& s, ZydisRegister name) {
  const bool is_kept = name != ZYDIS_REGISTER_CS && name != ZYDIS_REGISTER_SS && s.program.variant.mode != Mode::v86;
  return is_kept ? s.outcome.a.sregs : s.code_sregs;
}

bool is_stack_operation(const Instruction& instruction) {
  switch (instruction.info.meta.category) {
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_POP:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_RET:
      return true;
    default:
      return instruction.info.mnemonic == ZYDIS_MNEMONIC_ENTER || instruction.info.mnemonic == ZYDIS_MNEMONIC_LEAVE;
  }
}

// Words around the stack and frame pointers that the instruction may use lie beyond the limit: eight of PUSHA, those of
// ENTER, one each way of the others.
bool leaves_stack_segment(const Scene& s) {
  if (!s.a_raised(12) || !is_stack_operation(*s.instruction)) return false;
  const kvmapi::kvm_segment& ss = s.code_sregs.ss;
  const u64 mask = ss.db ? 0xffffffff : 0xffff;
  const unsigned word = s.instruction->info.operand_width / 8u;
  const bool is_enter = s.instruction->info.mnemonic == ZYDIS_MNEMONIC_ENTER;
  const u64 room = is_enter ? s.instruction->operands[0].imm.value.u & 0xffff : 0;
  const int below = is_enter ? 33 : 8;
  for (int i = -below; i <= 8; ++i)
    for (const u64 pointer : {s.regs.rsp, s.regs.rbp, s.regs.rsp - room})
      if (is_beyond(ss, (pointer + static_cast<u64>(i * static_cast<int>(word))) & mask, word)) return true;
  return false;
}

bool ignores_segment(const Scene& s) {
  const Mode mode = s.program.variant.mode;
  if (s.program.variant.bits == 64 || !s.instruction || !(s.a_raised(13) || s.a_raised(12)) || s.fault_a->error_code)
    return false;
  if (leaves_stack_segment(s)) return true;
  for (const Instruction::Access& access : s.instruction->accesses(s.regs)) {
    const kvmapi::kvm_segment* segment = segment_of(segments_of_code(s, access.segment), access.segment);
    if (!segment) continue;
    const unsigned bytes = access.bytes ? access.bytes : 1;
    if (is_beyond(*segment, access.offset, bytes)) return true;
    if (mode != Mode::real && has_wrong_type(*segment, access.is_write)) return true;
    if (access.segment == ZYDIS_REGISTER_SS && is_beyond(*segment, (access.offset - bytes) & 0xffff, bytes))
      return true;
  }
  return false;
}

bool is_read_modify_write(const Instruction& instruction) {
  for (unsigned i = 0; i < instruction.info.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands[i];
    if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
        (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
      return true;
  }
  return false;
}

constexpr std::string_view kEnterReason =
    "QEMU TCG does not check that the final stack pointer of ENTER can be written; APM vol. 3, ENTER";
constexpr std::string_view kSegmentReason =
    "QEMU TCG checks neither the limit nor the type of a segment when memory is accessed; SDM vol. 3, 5.3 and 5.5";
constexpr std::string_view kCompareReason =
    "QEMU TCG reads DS:SI of CMPS first, so that a device there comes before a fault at ES:DI and the page is marked; "
    "a Zen 3 looks at ES:DI first";
constexpr std::string_view kPushaReason =
    "QEMU TCG stores the registers of PUSHA from the lowest address on, so that a fault leaves some; SDM vol. 2, PUSHA";
constexpr Limit kRfLimit = {
    "rf_until_block_end",
    "QEMU TCG clears RF at the end of a translation block, not after an instruction; SDM vol. 3, 17.3.1.1"};

// Words of memory that differ for a known reason. Several may meet in one difference.

bool reads_before_it_writes(const Scene& s, u64 at, u64 a, u64 b) {
  if (!s.a_raised(14) || !s.instruction || !is_read_modify_write(*s.instruction)) return false;
  // The first page of two is asked for with write access, though the second one faults.
  if (Scene::is_table(at))
    return ((a ^ b) & ~((kAccessed | kDirty) * kBothHalves)) == 0 && (b & ~a & kDirty * kBothHalves) == 0;
  return at == (s.stack_a() & ~u64{7}) && (a ^ b) == u64{2} << s.stack_a() % 8 * 8;
}

bool emulator_reads_first(const Scene& s, u64 at, u64 a, u64 b) {
  return s.is_mmio() && Scene::is_table(at) && (a ^ b) == (a & ~b & kDirty * kBothHalves);
}

bool is_compare(const std::optional<Instruction>& instruction) {
  return is_one_of(instruction,
                   {ZYDIS_MNEMONIC_CMPSB, ZYDIS_MNEMONIC_CMPSW, ZYDIS_MNEMONIC_CMPSD, ZYDIS_MNEMONIC_CMPSQ});
}

// The page of DS:SI, though ES:DI faults.
bool marks_source_of_compare(const Scene& s, u64 at, u64 a, u64 b) {
  return s.a_raised(14) && is_compare(s.instruction) && Scene::is_table(at) &&
         ((a ^ b) & ~(kAccessed * kBothHalves)) == 0 && !(a & ~b);
}

bool marks_pdpte(const Scene& s, u64 at, u64 a, u64 b) {
  return s.program.variant.mode == Mode::pae && at / 32 == kPdpt / 32 && (a ^ b) == (b & kAccessed);
}

// SGDT and SIDT: the limit is there, the base met a fault.
bool stores_table_in_parts(const Scene& s, u64 at, u64 a, u64 b) {
  if (!s.a_raised(14) || !s.b_raised(14) || !s.instruction) return false;
  if (!is_one_of(s.instruction, {ZYDIS_MNEMONIC_SGDT, ZYDIS_MNEMONIC_SIDT})) return false;
  for (const Instruction::Access& access : s.instruction->accesses(s.regs))
    for (u64 byte = 0; byte < 8; ++byte)
      if ((a ^ b) >> (8 * byte) & 0xff && at + byte - physical(access.offset) < 2) return true;
  return false;
}

// Whether two words differ in RF of an RFLAGS image that lies on the handler's stack, and `more` has it.
bool is_rf_of_frame(const Scene& s, u64 at, u64 more, u64 less) {
  constexpr u32 kAlwaysOne = 2, kReserved = 0xffc08028;
  if (!s.is_handler() || at + 8 <= s.stack_a() || at > s.stack_a() + 96) return false;
  for (unsigned byte = 0; byte < 8; ++byte) {
    if ((more ^ less) != u64{1} << 8 * byte || !(more & ~less)) continue;
    const u32 image = static_cast<u32>(s.word_b(at + byte - 2));
    return (image & kAlwaysOne) && !(image & kReserved);
  }
  return false;
}

bool keeps_rf(const Scene& s, u64 at, u64 a, u64 b) { return is_rf_of_frame(s, at, b, a); }

u64 width_mask(unsigned bits) { return bits == 64 ? ~u64{0} : (u64{1} << bits) - 1; }

// Where ENTER leaves the stack pointer, if it got there.
u64 stack_after_enter(const Instruction& enter, const Scene& s) {
  const unsigned levels = enter.operands[1].imm.value.u & 31;
  const unsigned word = enter.info.operand_width / 8u;
  const kvmapi::kvm_segment& ss = s.code_sregs.ss;
  const u64 mask = width_mask(s.program.variant.bits == 64 ? 64 : ss.db ? 32 : 16);
  return ss.base + ((s.regs.rsp - (1 + levels) * word - (enter.operands[0].imm.value.u & 0xffff)) & mask);
}

bool is_enter(const std::optional<Instruction>& instruction) {
  return instruction && instruction->info.mnemonic == ZYDIS_MNEMONIC_ENTER;
}

bool pushes_from_below(const Scene& s, u64 at, u64 a, u64 b) {
  constexpr u64 kMarks = (kAccessed | kDirty) * kBothHalves;
  if (!s.a_raised(14) || !s.instruction) return false;
  const bool is_wide = s.instruction->info.mnemonic == ZYDIS_MNEMONIC_PUSHAD;
  if (!is_wide && s.instruction->info.mnemonic != ZYDIS_MNEMONIC_PUSHA) return false;
  if (Scene::is_table(at)) return ((a ^ b) & ~kMarks) == 0;
  const u64 top = s.code_sregs.ss.base + s.regs.rsp;
  const s64 bottom = static_cast<s64>(top) - (is_wide ? 32 : 16);
  return static_cast<s64>(at + 8) > bottom && at < top;
}

// The page of the new top is marked, nothing else: APM does not say whether.
bool enter_marks_page(const Scene& s, u64 at, u64 a, u64 b) {
  constexpr u64 kMarks = (kAccessed | kDirty) * kBothHalves;
  return Scene::is_table(at) && ((a ^ b) & ~kMarks) == 0 && (b & ~a) == 0 && s.has(ZYDIS_MNEMONIC_ENTER);
}

bool enter_probes(const Scene& s) {
  if (!s.a_raised(14) || !is_enter(s.instruction)) return false;
  const u64 top = stack_after_enter(*s.instruction, s);
  return s.outcome.a.sregs.cr2 >= top && s.outcome.a.sregs.cr2 < top + 8;
}

bool compares_source_first(const Scene& s) {
  return s.a_raised(14) && s.b_exits(Exit::Mmio) && s.outcome.b.regs.rip == s.fault_a->rip && is_compare(s.instruction);
}

// Whether words differ in `bits` of the RFLAGS image in the handler's frame, nowhere else.
bool is_flags_of_frame(const Scene& s, u64 at, u64 a, u64 b, u64 bits) {
  if (!s.fault_a) return false;
  const s64 byte = static_cast<s64>(s.fault_a->rflags_at - at);
  if (byte >= 8 || byte <= -4) return false;
  const u64 mask = byte >= 0 ? bits << 8 * byte : bits >> -8 * byte;
  return ((a ^ b) & ~mask) == 0;
}

bool tests_flags(const Instruction& instruction) {
  return instruction.info.cpu_flags && instruction.info.cpu_flags->tested & kArithmetic;
}

bool is_port_string(const Instruction& instruction) {
  return instruction.info.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

bool loses_flags_in_fault(const Scene& s) {
  if (!s.is_mmio() && !s.fault_a) return false;
  const u64 rip = s.outcome.a.regs.rip;
  const bool is_write = s.is_mmio() && s.outcome.a.run.exit.as<kvmapi::kvm_exit_mmio>().is_write;
  const auto instruction = !s.is_mmio() ? s.instruction : is_write ? s.ending_at(rip) : s.at(rip);
  const bool is_denied = instruction && s.a_raised(13) && is_port_string(*instruction);
  if (!instruction || !(is_denied || tests_flags(*instruction))) return false;
  // What it makes of them is another register's value, reserved bits and TF included.
  return s.differs_only(
      [](const std::string& path) {
        constexpr std::string_view kFollows[] = {"regs.rflags",
                                                 "mmio.data",
                                                 "run.if_flag",
                                                 "run.ready_for_interrupt_injection",
                                                 "debugregs.dr6",
                                                 "events.exception.pending",
                                                 "events.exception.injected",
                                                 "events.exception.nr"};
        return std::ranges::find(kFollows, path) != std::end(kFollows);
      },
      [&](u64 at, u64 a, u64 b) { return is_flags_of_frame(s, at, a, b, 0xffffffff) || marks_pdpte(s, at, a, b); });
}

bool leaves_flags(const std::optional<Instruction>& instruction) {
  if (!instruction || !instruction->info.cpu_flags) return false;
  const auto category = instruction->info.meta.category;
  return instruction->info.cpu_flags->undefined || category == ZYDIS_CATEGORY_ROTATE ||
         category == ZYDIS_CATEGORY_SHIFT;
}

// Flags that the manuals leave undefined, seen before the CMP that follows: at the exit of the instruction itself, in
// the frame of its single-step trap or of an interrupt that came with the answer to its read.
bool shows_undefined_flags(const Scene& s) {
  if ((s.outcome.a.regs.rflags ^ s.outcome.b.regs.rflags) & ~(kArithmetic | kRf)) return false;
  const bool is_interrupted =
      s.outcome.before.reason() == Exit::Mmio && s.fault_a && leaves_flags(s.at(s.outcome.before.regs.rip));
  const bool is_trapped = s.a_raised(1) && s.b_raised(1) && leaves_flags(s.ending_at(s.fault_a->rip));
  const auto waited = s.outcome.before.reason() == Exit::Mmio ? s.at(s.outcome.before.regs.rip) : std::nullopt;
  const bool is_next =
      s.is_mmio() && leaves_flags(waited) && s.outcome.before.regs.rip + waited->info.length == s.outcome.a.regs.rip;
  if (!is_interrupted && !is_trapped && !is_next && !(s.is_mmio() && leaves_flags(s.ending_at(s.outcome.a.regs.rip))))
    return false;
  return s.differs_only([](const std::string& path) { return path == "regs.rflags"; },
                        [&](u64 at, u64 a, u64 b) {
                          return is_flags_of_frame(s, at, a, b, kArithmetic | kRf | 0xff) || marks_pdpte(s, at, a, b);
                        });
}

bool traps_before_end(const Scene& s) {
  if (!s.a_exits(Exit::Debug) || !s.b_exits(Exit::Debug)) return false;
  const kvmapi::kvm_regs &a = s.outcome.a.regs, &b = s.outcome.b.regs;
  const auto instruction = s.at(b.rip);
  if (!instruction || !instruction->is_repeated() || a.rip != b.rip + instruction->info.length ||
      instruction->count(a) || (a.rflags ^ b.rflags) != (b.rflags & kRf))
    return false;
  return differs_in(
      s, [](const std::string& path) { return path == "debug.pc" || path == "regs.rip" || path == "regs.rflags"; });
}

bool is_not_canonical(u64 address) { return static_cast<u64>(static_cast<s64>(address << 16) >> 16) != address; }

bool takes_stack_for_data(const Scene& s) {
  if (s.program.variant.bits != 64 || !s.a_raised(12) || !s.b_raised(13) || s.fault_a->error_code || !s.instruction)
    return false;
  if (is_enter(s.instruction) || s.instruction->info.mnemonic == ZYDIS_MNEMONIC_LEAVE)
    return is_not_canonical(s.regs.rbp) || is_not_canonical(s.regs.rsp);
  for (const Instruction::Access& access : s.instruction->accesses(s.regs))
    if (is_not_canonical(access.offset) || is_not_canonical(access.offset + access.bytes) ||
        is_not_canonical(access.offset - 8))
      return true;
  return false;
}

// A frame, or a word that is pushed or popped, crosses the end of the stack segment: #SS, #DF, and none is left to
// deliver.
bool leaves_stack_and_dies(const Scene& s) {
  constexpr u64 kNear = 256;
  const kvmapi::kvm_segment& ss = s.outcome.b.sregs.ss;
  const u64 mask = ss.db ? 0xffffffff : 0xffff, sp = s.outcome.b.regs.rsp & mask;
  return s.a_exits(Exit::Shutdown) && s.program.variant.bits != 64 && ss.limit == mask &&
         (sp < kNear || sp + kNear > mask);
}

bool faults_from_below(const Scene& s) {
  if (!s.a_raised(14) || !s.b_raised(14) || !s.instruction || s.fault_a->rip != s.fault_b->rip) return false;
  const bool is_wide = s.instruction->info.mnemonic == ZYDIS_MNEMONIC_PUSHAD;
  if (!is_wide && s.instruction->info.mnemonic != ZYDIS_MNEMONIC_PUSHA) return false;
  const u64 top = s.code_sregs.ss.base + s.regs.rsp, bytes = is_wide ? 32 : 16;
  return ((top - s.outcome.b.sregs.cr2) & 0xffffffff) <= bytes &&
         differs_in(s, [](const std::string& path) { return path == "sregs.cr2"; });
}

// The 16 general-purpose registers come first.
auto words_of(const kvmapi::kvm_regs& regs) {
  return std::bit_cast<std::array<u64, sizeof(kvmapi::kvm_regs) / 8>>(regs);
}

// BSF and BSR of 0 with a 32-bit operand in 64-bit mode: the destination, seen at once or in later exits.
bool clears_upper_half(const Scene& s) {
  if (s.program.variant.bits != 64 || !(s.has(ZYDIS_MNEMONIC_BSF) || s.has(ZYDIS_MNEMONIC_BSR))) return false;
  const auto a = words_of(s.outcome.a.regs), b = words_of(s.outcome.b.regs);
  for (unsigned i = 0; i < 16; ++i)
    if (a[i] != b[i] && b[i] != (a[i] & 0xffffffff)) return false;
  return differs_in(s, [](const std::string& path) {
    return path.starts_with("regs.r") && path != "regs.rip" && path != "regs.rflags";
  });
}

// Both died: what failing deliveries have left, and what the access marked that began it.
bool leaves_traces_in_shutdown(const Scene& s) {
  if (!s.a_exits(Exit::Shutdown) || !s.b_exits(Exit::Shutdown)) return false;
  return s.only_memory([&](u64 at, u64 a, u64 b) {
    if (explain_word(s, at, a, b)) return true;
    if (Scene::is_table(at)) return ((a ^ b) & ~((kAccessed | kDirty) * kBothHalves)) == 0;
    for (unsigned byte = 0; byte < 8; ++byte)  // RF, or the bit of writes in error codes
      if (((a ^ b) & ~(u64{3} << 8 * byte)) == 0) return true;
    return at < kPage;  // the stack has come to address 0
  });
}

// LAR under TF: bits 19:16, seen before they are cleared.
bool shows_undefined_rights(const Scene& s) {
  if (!s.a_raised(1) || !s.b_raised(1)) return false;
  const auto lar = s.ending_at(s.fault_a->rip);
  if (!lar || lar->info.mnemonic != ZYDIS_MNEMONIC_LAR) return false;
  const auto a = words_of(s.outcome.a.regs), b = words_of(s.outcome.b.regs);
  for (unsigned i = 0; i < 16; ++i)
    if ((a[i] ^ b[i]) & ~u64{0xf0000}) return false;
  return differs_in(s, [](const std::string& path) { return path.starts_with("regs.r") && path != "regs.rip"; });
}

// FOP, FIP and FDP.
bool lacks_x87_pointers(const Scene& s) {
  const kvmapi::kvm_fpu& fpu = s.outcome.b.fpu;
  if (fpu.last_opcode || fpu.last_ip || fpu.last_dp) return false;
  return differs_in(s, [](const std::string& path) { return path.starts_with("fpu.last_"); });
}

constexpr WordRow kWordRows[] = {
    {{"emulator_reads_first",
      "the mock walks the page tables once for a read-modify-write of device memory, KVM's emulator again for the "
      "write"},
     emulator_reads_first},
    {{"read_modify_write_reads_first",
      "QEMU TCG reports the read of a read-modify-write and marks the page as accessed; a processor asks for write "
      "access at once. APM vol. 2, 8.4.2"},
     reads_before_it_writes},
    {{"pdpte_accessed",
      "QEMU TCG sets the accessed bit of PAE page-directory-pointer entries, where it is reserved; SDM vol. 3, 4.4.1"},
     marks_pdpte},
    {kRfLimit, keeps_rf},
    {{"compare_reads_source_first", kCompareReason}, marks_source_of_compare},
    {{"table_store_in_parts", "QEMU TCG stores the limit of SGDT and SIDT though the base meets a fault"},
     stores_table_in_parts},
    {{"enter_does_not_probe", kEnterReason}, enter_marks_page},
    {{"pusha_from_below", kPushaReason}, pushes_from_below},
};

constexpr LimitRow kRows[] = {
    {{"enter_does_not_probe", kEnterReason}, enter_probes},
    {{"trap_before_end_of_repetition",
      "QEMU TCG traps with TF after the last iteration of a repeated string instruction as if one were left; "
      "SDM vol. 3, 17.3.1.1"},
     traps_before_end},
    {{"compare_reads_source_first", kCompareReason}, compares_source_first},
    {{"flags_lost_in_fault",
      "QEMU TCG has evaluated the flags when an instruction that tests them, or INS or OUTS without permission, "
      "faults, and gets them wrong"},
     loses_flags_in_fault},
    {{"undefined_flags", "flags that are undefined after the instruction are seen at the exit that it makes"},
     shows_undefined_flags},
    {{"segment_check", kSegmentReason}, ignores_segment},
    {{"segment_check", kSegmentReason}, leaves_stack_and_dies},
    {{"pusha_from_below", kPushaReason}, faults_from_below},
    {{"bit_scan_of_zero",
      "QEMU TCG clears the upper half of the register that a 32-bit BSF or BSR of 0 leaves alone; APM vol. 3, BSF"},
     clears_upper_half},
    {{"traces_of_shutdown",
      "what QEMU TCG does to RF, to marks in tables and to error codes, left by deliveries that end in a shutdown"},
     leaves_traces_in_shutdown},
    {{"undefined_rights", "bits 19:16 that LAR leaves undefined are seen in the handler of its single-step trap"},
     shows_undefined_rights},
    {{"x87_pointers",
      "QEMU TCG stores the last x87 opcode and the pointers to it and its operand as 0 in XSAVE images"},
     lacks_x87_pointers},
    {{"stack_fault",
      "QEMU TCG raises #GP for a non-canonical address in the stack segment; SDM vol. 3, 6.15 (vector 12)"},
     takes_stack_for_data},
};

}  // namespace

const WordRow* explain_word(const Scene& scene, u64 at, u64 a, u64 b) {
  for (const std::span<const WordRow> rows : {std::span<const WordRow>(kWordRows), system_words()})
    for (const WordRow& row : rows)
      if (row.holds(scene, at, a, b)) return &row;
  return nullptr;
}

Explanation explain(const Program& program, const Outcome& outcome, std::span<const u8> ram_a,
                    std::span<const u8> ram_b) {
  const Scene scene(program, outcome, ram_a, ram_b);
  Explanation found;
  const auto note = [&](const Limit& limit) {
    if (std::find(found.limits.begin(), found.limits.end(), limit.name) == found.limits.end())
      found.limits.push_back(limit.name);
    return true;
  };
  const u64 flags = outcome.a.regs.rflags ^ outcome.b.regs.rflags;
  found.goes_on = scene.differs_only(
      [&](const std::string& path) {
        return path == "regs.rflags" && flags == (outcome.b.regs.rflags & kRf) && note(kRfLimit);
      },
      [&](u64 at, u64 a, u64 b) {
        const WordRow* row = explain_word(scene, at, a, b);
        return row && note(row->limit);
      });
  if (found.goes_on) return found;
  found.limits.clear();
  for (const std::span<const LimitRow> rows :
       {std::span<const LimitRow>(kRows), emulator_limits(), system_limits(), debug_limits()}) {
    for (const LimitRow& row : rows)
      if (found.limits.empty() && row.holds(scene)) note(row.limit);
  }
  return found;
}

}  // namespace conformance::random
