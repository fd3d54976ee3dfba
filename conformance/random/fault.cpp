// See fault.hpp. Frames: SDM vol. 3, 6.12.1 and 6.14.2.
#include "conformance/random/fault.hpp"

#include <cstring>

namespace conformance::random {

bool has_error_code(unsigned vector, Mode mode) {
  return mode != Mode::real && (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21);
}

u64 stack_of(const Snapshot& s) {
  if (!s.sregs.cs.l) return physical(s.sregs.ss.base + (s.regs.rsp & (s.sregs.ss.db ? ~u64{0} : 0xffff)));
  return physical(s.regs.rsp);
}

std::optional<Fault> fault_of(const Snapshot& s, std::span<const u8> ram, Mode mode) {
  const u64 at = s.sregs.cs.base + s.regs.rip - (s.reason() == kvmapi::Exit::Hlt ? 1 : 0);
  if (s.error || at < kHandlers || at >= kHandlers + 0x800 || at % 8) return std::nullopt;
  Fault fault{.vector = static_cast<unsigned>((at - kHandlers) / 8)};
  const unsigned word = frame_word(mode);
  u64 stack = stack_of(s);
  const auto pop = [&] {
    u64 value = 0;
    if (stack <= kRamBytes - word) std::memcpy(&value, ram.data() + stack, word);
    stack += word;
    return value;
  };
  if (has_error_code(fault.vector, mode)) fault.error_code = pop();
  fault.rip = pop();
  fault.cs = static_cast<u16>(pop());
  fault.rflags_at = stack;
  if (stack > kRamBytes - word) return std::nullopt;
  fault.rflags = static_cast<u32>(pop());
  const bool has_stack =
      is_long(mode) || (mode != Mode::real && (fault.cs & 3) > (s.sregs.cs.selector & 3)) || fault.rflags & 0x20000;
  fault.rsp = has_stack ? pop() : s.regs.rsp + (stack - stack_of(s));
  return fault;
}

std::optional<Instruction> decode(std::span<const u8> ram, u64 rip, unsigned bits) {
  if (rip >= kRamBytes) return std::nullopt;
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder,
                   bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                   : bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                : ZYDIS_MACHINE_MODE_LEGACY_16,
                   bits == 64   ? ZYDIS_STACK_WIDTH_64
                   : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                : ZYDIS_STACK_WIDTH_16);
  Instruction instruction;
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, ram.data() + rip, ram.size() - rip, &instruction.info,
                                           instruction.operands)))
    return std::nullopt;
  return instruction;
}

namespace {

// A bit string reaches as far as its bit offset says (SDM vol. 2, BT).
u64 bit_string_offset(const ZydisDecodedInstruction& info, const ZydisDecodedOperand& bit,
                      const ZydisRegisterContext& context) {
  switch (info.mnemonic) {
    case ZYDIS_MNEMONIC_BT:
    case ZYDIS_MNEMONIC_BTS:
    case ZYDIS_MNEMONIC_BTR:
    case ZYDIS_MNEMONIC_BTC:
      break;
    default:
      return 0;
  }
  if (bit.type != ZYDIS_OPERAND_TYPE_REGISTER) return 0;
  const u64 value = context.values[ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, bit.reg.value)];
  const unsigned unused = 64 - bit.size;
  return static_cast<u64>((static_cast<s64>(value << unused) >> unused) >> 3) & ~u64{bit.size / 8u - 1};
}

}  // namespace

std::vector<Instruction::Access> Instruction::accesses(const kvmapi::kvm_regs& r) const {
  ZydisRegisterContext context{};
  const u64 general[] = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi,
                         r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
  for (unsigned i = 0; i < 16; ++i) {
    context.values[ZYDIS_REGISTER_RAX + i] = general[i];
    context.values[ZYDIS_REGISTER_EAX + i] = general[i] & 0xffffffff;
    context.values[ZYDIS_REGISTER_AX + i] = general[i] & 0xffff;
  }
  context.values[ZYDIS_REGISTER_AL] = general[0] & 0xff;
  std::vector<Access> found;
  for (unsigned i = 0; i < info.operand_count; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) continue;
    ZyanU64 offset = 0;
    if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&info, &operand, r.rip, &context, &offset))) continue;
    if (info.mnemonic == ZYDIS_MNEMONIC_XLAT) offset = r.rbx + (r.rax & 0xff);
    if (i == 0) offset += bit_string_offset(info, operands[1], context);
    if (info.address_width != 64) offset &= (u64{1} << info.address_width) - 1;
    found.push_back({.segment = operand.mem.segment,
                     .offset = offset,
                     .bytes = operand.size / 8u,
                     .is_write = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0});
  }
  return found;
}

}  // namespace conformance::random
