// From code bytes to a block of ops: Zydis decodes, rows choose handlers, flags that nobody can see are not computed, a
// compare and its conditional jump become one op.
#include <algorithm>
#include <new>

#include "mock/cpu/dispatch.hpp"
#include "mock/cpu/engine.hpp"
#include "mock/cpu/memory.hpp"

namespace mock::cpu {

namespace {

constexpr unsigned kMaxInstructionBytes = 15;
constexpr unsigned kKnownOperands = 4;

const ZydisDecoder& decoder_for(u32 mode_key) {
  static const auto decoders = [] {
    std::array<ZydisDecoder, 3> d;
    ZydisDecoderInit(&d[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&d[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&d[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    // Without MPX and CET their instructions are the NOPs whose encodings they took.
    for (ZydisDecoder& decoder : d) {
      ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
      ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    }
    return d;
  }();
  return decoders[mode_key & kModeBits];
}

u8 log2_bytes(unsigned bits) {
  return bits <= 8 ? 0 : bits <= 16 ? 1 : bits <= 32 ? 2 : bits <= 64 ? 3 : bits <= 128 ? 4 : 5;
}

// SIB with mod 0 and base 5 or 13 has a displacement and no base. Zydis 4.0 names R13D where addresses have 32 bits.
bool has_no_base(const ZydisDecodedInstruction& instruction) {
  const auto& raw = instruction.raw;
  return instruction.address_width != 16 && instruction.attributes & ZYDIS_ATTRIB_HAS_SIB && raw.modrm.mod == 0 &&
         raw.sib.base == 5;
}

void fill_memory(Op& op, const ZydisDecodedInstruction& instruction, const ZydisDecodedOperandMem& mem, u64 next_rip) {
  op.base = mem.base == ZYDIS_REGISTER_NONE ? kNoRegister : register_slot(mem.base);
  op.index = mem.index == ZYDIS_REGISTER_NONE ? kNoRegister : register_slot(mem.index);
  op.disp = mem.disp.has_displacement ? mem.disp.value : 0;
  if (has_no_base(instruction)) {
    op.base = kNoRegister;
    op.disp = instruction.raw.disp.value;
  }
  if (mem.base == ZYDIS_REGISTER_RIP || mem.base == ZYDIS_REGISTER_EIP) {
    op.base = kNoRegister;
    op.disp += static_cast<s64>(next_rip);
  }
  const unsigned scale = mem.scale ? static_cast<unsigned>(__builtin_ctz(mem.scale)) : 0;
  op.scale_size = static_cast<u8>((op.scale_size & ~3u) | scale);
  op.address = static_cast<u8>((op.address & ~7u) | static_cast<unsigned>(mem.segment - ZYDIS_REGISTER_ES));
}

// Segment of the implicit memory operand (strings, XLAT), which Zydis does not show among the visible ones.
SegReg implicit_segment(const ZydisDecodedInstruction& instruction) {
  constexpr std::pair<ZyanU64, SegReg> kPrefixes[] = {{ZYDIS_ATTRIB_HAS_SEGMENT_FS, FS},
                                                      {ZYDIS_ATTRIB_HAS_SEGMENT_GS, GS},
                                                      {ZYDIS_ATTRIB_HAS_SEGMENT_ES, ES},
                                                      {ZYDIS_ATTRIB_HAS_SEGMENT_CS, CS},
                                                      {ZYDIS_ATTRIB_HAS_SEGMENT_SS, SS}};
  constexpr ZyanU64 kAny = ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS | ZYDIS_ATTRIB_HAS_SEGMENT_ES |
                           ZYDIS_ATTRIB_HAS_SEGMENT_CS | ZYDIS_ATTRIB_HAS_SEGMENT_SS;
  if (!(instruction.attributes & kAny)) return DS;
  for (const auto& [attribute, segment] : kPrefixes) {
    if (!(instruction.attributes & attribute)) continue;
    return instruction.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 && segment < FS ? DS : segment;
  }
  return DS;
}

void fill(Op& op, const ZydisDecodedInstruction& instruction, const ZydisDecodedOperand* operands, u64 next_rip) {
  op.base = op.index = kNoRegister;
  op.length = instruction.length;
  op.scale_size = static_cast<u8>(log2_bytes(instruction.operand_width) << 2);
  op.address = static_cast<u8>(implicit_segment(instruction) | (log2_bytes(instruction.address_width) << 3));
  op.prefixes = 0;
  if (instruction.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) op.prefixes |= static_cast<u8>(Rep::rep);
  if (instruction.attributes & ZYDIS_ATTRIB_HAS_REPNE) op.prefixes |= static_cast<u8>(Rep::repne);
  if (instruction.attributes & ZYDIS_ATTRIB_HAS_LOCK) op.prefixes |= 4;
  bool has_memory = false, has_immediate = false;
  for (unsigned i = 0; i < instruction.operand_count_visible; ++i) {
    const ZydisDecodedOperand& operand = operands[i];
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER:
        if (i < 3) op.slot[i] = register_slot(operand.reg.value);
        break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        if (has_memory) break;
        has_memory = true;
        fill_memory(op, instruction, operand.mem, next_rip);
        op.address = static_cast<u8>((op.address & 0x1f) | ((i + 1) << 5));
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        op.imm = static_cast<s32>(operand.ptr.offset);
        op.disp = operand.ptr.segment;
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE: {
        const s64 value = operand.imm.value.s;
        if (!has_immediate) {
          op.imm = static_cast<s32>(value);
          if (!has_memory) op.disp = value;
        } else {
          op.disp = value;
          op.prefixes |= 8;
        }
        has_immediate = true;
        break;
      }
      default:
        break;
    }
  }
}

struct Item {
  Selection selection;
  u8 jump_condition = 0xff;  // Jcc that can be fused into its predecessor
};

// A block under construction. Nothing in it is cleared as a whole: blocks are short.
struct Builder {
  Core& core;
  const u8* host;
  u8* bytes;           // as read, may span two pages
  unsigned available;  // bytes in the first page
  u64 rip;
  Op* ops;
  Item* items;
  unsigned fetched = 0;  // bytes read so far
  unsigned count = 0;    // instructions
  unsigned op_count = 0;
  unsigned length = 0;
  Links links{&kNoBlock, &kNoBlock, 0, 0};
  bool ended = false;
};

// Guest memory is read once: what is decoded is what the block remembers.
void fetch(Builder& b) {
  constexpr unsigned kStep = 64;
  if (b.fetched >= std::min(b.length + kMaxInstructionBytes, b.available)) return;
  const unsigned count = std::min(kStep, b.available - b.fetched);
  copy_from_guest(b.bytes + b.fetched, b.host + b.fetched, count);
  b.fetched += count;
}

// Dead flags: a result's flags are needed if an instruction before the next full overwrite reads them or can leave the
// block.
void drop_dead_flags(Builder& b) {
  bool live = true;
  for (unsigned i = b.op_count; i-- > 0;) {
    const Selection& s = b.items[i].selection;
    if (s.overwrites_flags) {
      if (!live && s.without_flags) b.ops[i].handler = s.without_flags;
      live = false;
    }
    if (s.reads_flags || s.may_leave) live = true;
  }
}

void fuse_last(Builder& b) {
  if (b.op_count < 2) return;
  const unsigned jump = b.op_count - 1;
  const Item& item = b.items[jump];
  const Selection& before = b.items[jump - 1].selection;
  if (item.jump_condition > 15 || !before.fused) return;
  b.ops[jump - 1].handler = before.fused[item.jump_condition];
  --b.op_count;
}

bool is_outside(const Core& core, u64 target) {
  if ((core.mode_key & kModeBits) != 2) return target > core.code_last;
  const unsigned shift = core.s.cr4 & CR4_LA57 ? 7 : 16;
  return static_cast<u64>(static_cast<s64>(target << shift) >> shift) != target;
}

// What the processor makes of an instruction that it does not have: the one whose encoding it took, or #UD (INVALID).
ZydisMnemonic executed_as(const Core& core, const ZydisDecodedInstruction& instruction) {
  // APM vol. 3, PREFETCHx: #UD for a register; elsewhere it is a NOP.
  if (instruction.meta.isa_set == ZYDIS_ISA_SET_PREFETCH_NOP && instruction.raw.modrm.mod == 3)
    return ZYDIS_MNEMONIC_INVALID;
  if (!core.features.is_undefined(instruction.meta.isa_set)) return instruction.mnemonic;
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_TZCNT:
      return ZYDIS_MNEMONIC_BSF;
    case ZYDIS_MNEMONIC_LZCNT:
      return ZYDIS_MNEMONIC_BSR;
    default:
      return ZYDIS_MNEMONIC_INVALID;
  }
}

// Appends the instruction at b.length. False: the block ends before it.
bool append(Builder& b, unsigned limit_bytes, bool& crosses, bool& too_long_for_limit) {
  ZydisDecodedInstruction instruction;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT_VISIBLE];
  ZydisDecoderContext context;
  const ZydisDecoder& decoder = decoder_for(b.core.mode_key);
  Op& op = *new (&b.ops[b.op_count]) Op;
  Item& item = *new (&b.items[b.op_count]) Item;
  const u64 rip = b.rip + b.length;
  fetch(b);
  ZyanStatus status = ZydisDecoderDecodeInstruction(
      &decoder, &context, b.bytes + b.length, std::min(limit_bytes - b.length, kMaxInstructionBytes), &instruction);
  if (status == ZYDIS_STATUS_NO_MORE_DATA) {
    if (limit_bytes - b.length >= kMaxInstructionBytes)
      status = ZYDIS_STATUS_INSTRUCTION_TOO_LONG;
    else {
      too_long_for_limit = true;
      return false;
    }
  }
  Handler* handler = nullptr;
  if (!ZYAN_SUCCESS(status)) {
    handler = status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? general_protection_handler() : undefined_handler();
    // Whatever the verdict may have looked at: another byte there is another instruction.
    op.length = static_cast<u8>(std::min(limit_bytes - b.length, kMaxInstructionBytes));
    item.selection = {};
    b.ended = true;
  } else {
    if (b.length + instruction.length > b.available) {
      crosses = true;
      if (b.count > 0) return false;
    }
    ZydisDecoderDecodeOperands(&decoder, &context, &instruction, operands, instruction.operand_count_visible);
    // Selectors may ask for the kind of an operand that is not there.
    for (unsigned i = instruction.operand_count_visible; i < kKnownOperands; ++i) {
      operands[i].type = ZYDIS_OPERAND_TYPE_UNUSED;
      operands[i].size = 0;
    }
    fill(op, instruction, operands, rip + instruction.length);
    const ZydisMnemonic mnemonic = executed_as(b.core, instruction);
    const Row* const row = find_row(mnemonic);
    const u16 traits = row ? row->traits : 0;
    if (mnemonic == ZYDIS_MNEMONIC_INVALID) {
      handler = undefined_handler();
      b.ended = true;
    } else if (!row) {
      handler = is_absent(instruction) ? undefined_handler() : unmodelled_handler();
      b.ended = true;
    } else if (traits & kUndefined) {
      handler = undefined_handler();
      b.ended = true;
    } else {
      bool outside = false;
      if (is_relative_branch(instruction)) {
        const u64 mask = kAddressMask[op.size_log2()] & b.core.linear_mask;
        const u64 target = (rip + instruction.length + static_cast<u64>(static_cast<s64>(op.imm))) & mask;
        b.links.taken_rip = target;
        outside = is_outside(b.core, target);
        const bool is_jcc = instruction.meta.category == ZYDIS_CATEGORY_COND_BR &&
                            (instruction.opcode >> 4) == (instruction.opcode_map == ZYDIS_OPCODE_MAP_0F ? 8 : 7);
        if (is_jcc && !outside) item.jump_condition = instruction.opcode & 15;
      }
      const Decoded decoded{instruction, operands, outside};
      if ((traits & kAlone) && b.count > 0) return false;
      if (row->select) {
        row->select(decoded, op, item.selection);
        handler = item.selection.handler;
      } else {
        handler = row->handler;
      }
      if (!handler) {
        handler = unmodelled_handler();
        b.ended = true;
      }
      if ((traits & (kEndsBlock | kAlone)) || op.ends_block()) {
        b.ended = true;
        op.prefixes |= 16;
        if (traits & kSerialising) op.prefixes |= 64;
      }
    }
  }
  op.handler = item.selection.handler = handler;
  op.offset = static_cast<u16>(b.length);
  b.length += op.length;
  ++b.count;
  ++b.op_count;
  return true;
}

Block* finish(Builder& b, u8* host, const u8* host2) {
  drop_dead_flags(b);
  const bool is_step = b.core.mode_key & kModeStep;
  if (!is_step) fuse_last(b);
  b.links.fall_rip = (b.rip + b.length) & b.core.linear_mask;
  if (!b.ended) {
    Op& op = *new (&b.ops[b.op_count++]) Op;
    op.handler = fall_through_handler();
    op.offset = static_cast<u16>(b.length);
  }
  void* const memory = b.core.blocks->arena.allocate(sizeof(Block) + (b.op_count + 1) * sizeof(Op) + b.length);
  auto* const block = new (memory) Block;
  block->count = static_cast<u16>(b.count);
  block->ops = static_cast<u16>(b.op_count);
  block->rip = b.rip;
  block->key = b.core.block_key;
  block->length = static_cast<u16>(b.length);
  block->first_length = static_cast<u16>(std::min(b.length, b.available));
  block->host = host;
  block->host2 = b.length > b.available ? host2 : nullptr;
  block->is_word =
      b.length <= 8 && !block->host2 && reinterpret_cast<u64>(host) % kPageSize <= kPageSize - sizeof block->word;
  if (block->is_word) {
    block->word_shift = static_cast<u8>(64 - 8 * b.length);
    std::memcpy(&block->word, b.bytes, b.length);
  }
  for (unsigned i = 0; i < b.op_count; ++i) b.ops[i].position = static_cast<u8>(i);
  std::memcpy(static_cast<void*>(block->first()), b.ops, b.op_count * sizeof(Op));
  std::memcpy(static_cast<void*>(block->first() + b.op_count), &b.links, sizeof b.links);
  std::memcpy(block->bytes(), b.bytes, b.length);
  return block;
}

}  // namespace

Block* decode_block(Core& core, u8* host, u64 linear) {
  const unsigned in_page = static_cast<unsigned>(kPageSize - linear % kPageSize);
  const u64 to_limit = core.code_last - core.s.rip + 1;  // 0: no limit (wrapped)
  const unsigned in_limit = to_limit && to_limit < in_page ? static_cast<unsigned>(to_limit) : in_page;
  constexpr unsigned max_bytes = kMaxBlockOps * kMaxInstructionBytes;
  u8 bytes[max_bytes + kMaxInstructionBytes];
  alignas(Op) std::byte ops[sizeof(Op) * (kMaxBlockOps + 1)];
  alignas(Item) std::byte items[sizeof(Item) * (kMaxBlockOps + 1)];
  Builder b{core,
            host,
            bytes,
            std::min(in_limit, max_bytes),
            core.s.rip,
            reinterpret_cast<Op*>(ops),
            reinterpret_cast<Item*>(items)};
  const unsigned max_ops = core.mode_key & kModeStep ? 1 : kMaxBlockOps;
  const u8* host2 = nullptr;
  while (!b.ended && b.count < max_ops && b.length < b.available) {
    bool crosses = false, starved = false;
    if (append(b, b.available, crosses, starved)) continue;
    if (b.count > 0 || !starved) break;
    // The first instruction needs bytes of the next page (or of beyond the limit).
    if (in_limit < in_page || b.available < in_page) return core.raise(GP, 0), nullptr;
    Location there;
    if (to_limit && to_limit <= in_page) return core.raise(GP, 0), nullptr;
    if (!locate(core, (linear + in_page) & core.linear_mask, Access::execute, core.privilege, there)) return nullptr;
    if (!there.host) {
      core.info.gpa = there.gpa;
      return core.stop(Stop::emulation_failure), nullptr;
    }
    host2 = there.host;
    const u64 rest = to_limit ? std::min<u64>(to_limit - in_page, kMaxInstructionBytes) : kMaxInstructionBytes;
    copy_from_guest(bytes + in_page, there.host, static_cast<unsigned>(rest));
    starved = false;
    if (!append(b, in_page + static_cast<unsigned>(rest), crosses, starved)) return core.raise(GP, 0), nullptr;
    break;
  }
  return finish(b, host, host2);
}

}  // namespace mock::cpu
