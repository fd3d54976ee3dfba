// See composite.hpp.
#include "conformance/random/composite.hpp"

#include "conformance/random/fault.hpp"
#include "conformance/random/instruction.hpp"

namespace conformance::random {
namespace {

const Form& pick_form(Family family, Random& random) {
  u32 total = 0;
  for (const Form& form : forms())
    if (form.family == family) total += form.weight;
  u32 at = random.below(total);
  for (const Form& form : forms()) {
    if (form.family != family) continue;
    if (at < form.weight) return form;
    at -= form.weight;
  }
  return forms()[0];
}

// CMP AL, imm8 defines all six arithmetic flags and can not fault.
void define_flags(Random& random, Chunk& chunk) {
  chunk.byte(0x3c);
  chunk.byte(random.below(256));
}

// After LAR: bits 19:16, which it leaves undefined (SDM vol. 2 LAR), become 0. ZF stays.
void clear_undefined_rights(const Variant& variant, Chunk& chunk) {
  const std::optional<Instruction> lar = decode(chunk.code, 0, variant.bits);
  if (!lar || lar->info.mnemonic != ZYDIS_MNEMONIC_LAR) return;
  const unsigned reg = (lar->info.raw.modrm.reg | lar->info.raw.rex.R << 3) & 15u;
  const bool is_16bit = variant.bits == 16;
  chunk.put(is_16bit ? 0x0975 : reg & 8 ? 0x0975 : 0x0875, 2);  // JNZ to the end
  if (is_16bit) chunk.byte(0x66);
  if (reg & 8) chunk.byte(0x41);
  chunk.put(0xe081 | (reg & 7) << 8, 2);  // AND reg, 0xfff0ffff
  chunk.put(0xfff0ffff, 4);
  chunk.put(0xc038, 2);  // CMP AL, AL
}

void put_form(Family family, const Variant& variant, Random& random, Chunk& chunk) {
  const Form& form = pick_form(family, random);
  const bool is_64bit = variant.bits == 64;
  const bool is_odd = (form.traits & kNot64) && is_64bit && (form.traits & kNever64 || !random.chance(10));
  const bool is_short = ((form.traits & kOnly64) && !is_64bit) || ((form.traits & kRing0) && variant.ring);
  const bool shows_flags = (form.traits & (kLeavesFlags | kLeavesRights)) && variant.single_step;
  if (is_odd || is_short || shows_flags) return put_form(family, variant, random, chunk);
  if (form.traits & kCountInCl) put_load(1, random.below(70), variant, chunk);
  put_instruction(form, variant, random, chunk);
  if (form.traits & kLeavesFlags) define_flags(random, chunk);
  if (form.traits & kLeavesRights) clear_undefined_rights(variant, chunk);
}

// Short, so that it ends; now and then long enough to cross pages.
u64 count(Random& random) { return random.below(random.chance(85) ? 40 : 0x900); }

void put_string(const Variant& variant, Random& random, Chunk& chunk) {
  if (random.chance(50)) put_load(6, data_address(variant, random), variant, chunk);
  if (random.chance(50)) put_load(7, data_address(variant, random), variant, chunk);
  put_load(1, count(random), variant, chunk);
  put_form(Family::string, variant, random, chunk);
}

void put_port_io(const Variant& variant, Random& random, Chunk& chunk) {
  if (random.chance(60)) put_load(2, random.below(0x100), variant, chunk);  // ports that the I/O permission map has
  put_load(1, count(random), variant, chunk);
  if (random.chance(40)) put_load(6, data_address(variant, random), variant, chunk);
  if (random.chance(40)) put_load(7, data_address(variant, random), variant, chunk);
  put_form(Family::io, variant, random, chunk);
}

// A target a few chunks ahead.
void aim(u8 bytes, bool is_relative, u32 reach, Random& random, Chunk& chunk) {
  chunk.target = {
      .at = chunk.size, .bytes = bytes, .is_relative = is_relative, .chunk = chunk.index + 1 + random.below(reach)};
  chunk.put(0, bytes);
}

// Bodies that leave the counter alone.
constexpr Form kLoopBodies[] = {
    {Family::integer, 1, 0, 0x00, 8, 8, Operand::memory},
    {Family::integer, 1, 0, 0x01, 8, 8, Operand::memory},
    {Family::integer, 1, 0, 0x88, 2, 1, Operand::memory},
    {Family::integer, 1, 0, 0xfe, 2, 1, Operand::memory, Immediate::none, 0x03},
    {Family::integer, 1, 0, 0x98, 2},
    {Family::string, 1, 0, 0xaa, 4},
};

void put_flow(const Variant& variant, Random& random, Chunk& chunk) {
  const u8 wide = variant.bits == 16 ? 2 : 4;
  const u32 kind = random.below(9);
  if (kind < 3) {  // Jcc
    chunk.byte(0x0f);
    chunk.byte(0x80 + random.below(16));
    return aim(wide, true, 4, random, chunk);
  }
  if (kind == 3) {
    chunk.byte(0x70 + random.below(16));
    return aim(1, true, 2, random, chunk);
  }
  if (kind == 4) {  // LOOPcc, JCXZ
    chunk.byte(0xe0 + random.below(4));
    return aim(1, true, 2, random, chunk);
  }
  if (kind == 5) {  // JMP, CALL
    chunk.byte(0xe8 + random.below(2));
    return aim(wide, true, 3, random, chunk);
  }
  if (kind == 6) {  // PUSH, RET
    chunk.byte(0x68);
    aim(wide, false, 3, random, chunk);
    chunk.byte(random.chance(70) ? 0xc3 : 0xc2);
    if (chunk.code[chunk.size - 1] == 0xc2) chunk.put(random.below(32), 2);
    return;
  }
  if (kind == 7) {  // a loop
    put_load(1, 1 + random.below(20), variant, chunk);
    const u8 start = chunk.size;
    put_instruction(kLoopBodies[random.below(std::size(kLoopBodies))], variant, random, chunk);
    chunk.byte(0xe2);
    chunk.byte(static_cast<u8>(start - chunk.size - 1));
    return;
  }
  if (variant.bits == 64) chunk.byte(0x48);
  chunk.byte(0xb8);  // MOV rAX, target; JMP or CALL rAX
  aim(static_cast<u8>(variant.bits / 8), false, 3, random, chunk);
  chunk.byte(0xff);
  chunk.byte(random.chance(50) ? 0xe0 : 0xd0);
}

// BX, EBX or RBX: the address of the POP. Returns its place in the chunk.
u8 put_own_address(const Variant& variant, Chunk& chunk) {
  chunk.byte(0xe8);
  chunk.put(0, variant.bits == 16 ? 2 : 4);
  chunk.byte(0x5b);
  return static_cast<u8>(chunk.size - 1);
}

// An instruction on the byte `distance` from what put_own_address() has found; sometimes through the other mapping of
// the page. SS of 16-bit programs has the base of CS.
void put_code_operand(u8 opcode, u8 reg, u32 distance, bool is_alias, const Variant& variant, Chunk& chunk) {
  if (variant.bits == 16) chunk.byte(0x36);
  chunk.byte(opcode);
  if (variant.bits != 16 && is_alias) {
    chunk.byte(0x83 | reg << 3);
    return chunk.put(kLargePage + distance, 4);
  }
  chunk.byte((variant.bits == 16 ? 0x47u : 0x43u) | reg << 3);
  chunk.byte(distance);
}

bool pick_alias(const Variant& variant, Random& random) { return has_paging(variant.mode) && random.chance(40); }

// The store changes what comes next.
void put_changed_next(const Variant& variant, Random& random, Chunk& chunk) {
  constexpr u8 kSingle[] = {0x90, 0xf5, 0xf8, 0xf9, 0xfc, 0x98, 0x99, 0x9f};
  const bool is_alias = pick_alias(variant, random), has_operand = random.chance(50);
  const u8 from = put_own_address(variant, chunk);
  // With paging QEMU TCG runs the old instruction to the end of its block: a jump ends it.
  const bool jumps = has_paging(variant.mode) || random.chance(50);
  const unsigned store = (variant.bits == 16 ? 5u : is_alias ? 7u : 4u) + (jumps ? 2u : 0u);
  put_code_operand(0xc6, 0, chunk.size + store + (has_operand ? 1 : 0) - from, is_alias, variant, chunk);
  chunk.byte(has_operand ? random.below(256) : random.pick(kSingle));
  if (jumps) chunk.put(0x00eb, 2);
  chunk.byte(has_operand ? 0x04 : random.pick(kSingle));  // ADD AL, imm8
  if (has_operand) chunk.byte(random.below(256));
}

// A loop that counts up the operand of its own first instruction.
void put_changed_loop(const Variant& variant, Random& random, Chunk& chunk) {
  put_load(1, 1 + random.below(6), variant, chunk);
  const bool is_alias = pick_alias(variant, random);
  const u8 from = put_own_address(variant, chunk), start = chunk.size;
  chunk.byte(0x04);
  chunk.byte(random.below(256));
  put_code_operand(0xfe, 0, start + 1u - from, is_alias, variant, chunk);
  chunk.byte(0xe2);
  chunk.byte(static_cast<u8>(start - chunk.size - 1));
}

void put_absolute(u8 opcode, u64 address, const Variant& variant, Chunk& chunk) {
  if (variant.bits == 16) chunk.byte(0x36);
  chunk.byte(opcode);
  if (variant.bits == 64) chunk.byte(0x04);
  chunk.byte(variant.bits == 16 ? 0x06 : variant.bits == 32 ? 0x05 : 0x25);
  chunk.put(address, variant.bits == 16 ? 2 : 4);
}

// ADD AL, imm8; RET across two pages: written, called, changed on the second page, called again.
void put_changed_across_pages(const Variant& variant, Random& random, Chunk& chunk) {
  constexpr u64 kAcross = kCode + kPage - 1;
  const u64 seen_at = pick_alias(variant, random) && variant.bits != 16 ? kLargePage : 0;
  if (variant.bits == 16) chunk.byte(0x66);
  put_absolute(0xc7, seen_at + kAcross, variant, chunk);
  chunk.put(0xf4c30004 | random.below(256) << 8, 4);
  chunk.byte(0xbb);
  chunk.put(kAcross, variant.bits == 16 ? 2 : 4);
  chunk.put(0xd3ff, 2);  // CALL rBX
  put_absolute(0xc6, seen_at + kAcross + 1, variant, chunk);
  chunk.byte(random.below(256));
  chunk.put(0xd3ff, 2);
}

void put_changing_code(const Variant& variant, Random& random, Chunk& chunk) {
  chunk.changes_itself = true;
  const u32 kind = random.below(3);
  if (kind == 0) put_changed_next(variant, random, chunk);
  if (kind == 1) put_changed_loop(variant, random, chunk);
  if (kind == 2) put_changed_across_pages(variant, random, chunk);
  put_load(3, data_address(variant, random), variant, chunk);  // no later access by rBX meets code
}

}  // namespace

void put_chunk(Family family, const Variant& variant, Random& random, Chunk& chunk) {
  switch (family) {
    case Family::string:
      return put_string(variant, random, chunk);
    case Family::io:
      return put_port_io(variant, random, chunk);
    case Family::code:
      return put_changing_code(variant, random, chunk);
    case Family::flow:
      return put_flow(variant, random, chunk);
    default:
      return put_form(family, variant, random, chunk);
  }
}

}  // namespace conformance::random
