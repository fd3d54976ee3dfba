// See composite.hpp.
#include "conformance/random/composite.hpp"

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

void put_form(Family family, const Variant& variant, Random& random, Chunk& chunk) {
  const Form& form = pick_form(family, random);
  const bool is_64bit = variant.bits == 64;
  const bool is_odd = (form.traits & kNot64) && is_64bit && (form.traits & kNever64 || !random.chance(10));
  const bool is_short = (form.traits & kOnly64) && !is_64bit;
  const bool shows_flags = (form.traits & kLeavesFlags) && variant.single_step;
  if (is_odd || is_short || shows_flags) return put_form(family, variant, random, chunk);
  if (form.traits & kCountInCl) put_load(1, random.below(70), variant, chunk);
  put_instruction(form, variant, random, chunk);
  if (form.traits & kLeavesFlags) define_flags(random, chunk);
}

// Short, so that it ends; now and then long enough to cross pages.
u64 count(Random& random) { return random.below(random.chance(85) ? 40 : 0x900); }

void put_string(const Variant& variant, Random& random, Chunk& chunk) {
  if (random.chance(50)) put_load(6, data_address(variant, random), variant, chunk);
  if (random.chance(50)) put_load(7, data_address(variant, random), variant, chunk);
  put_load(1, count(random), variant, chunk);
  put_form(Family::string, variant, random, chunk);
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

}  // namespace

void put_chunk(Family family, const Variant& variant, Random& random, Chunk& chunk) {
  switch (family) {
    case Family::string:
      return put_string(variant, random, chunk);
    case Family::flow:
      return put_flow(variant, random, chunk);
    default:
      return put_form(family, variant, random, chunk);
  }
}

}  // namespace conformance::random
