// Encoding. SDM vol. 2, chapter 2. Registers 3, 5, 6, 7 and 12 to 15 are pointers more often than not: memory operands
// use them, other operands mostly do not.
#include "conformance/random/instruction.hpp"

namespace conformance::random {
namespace {

constexpr u8 kPointers[] = {3, 5, 6, 7};
constexpr u8 kScratch[] = {0, 1, 2};

class Encoder {
 public:
  Encoder(const Form& form, const Variant& variant, Random& random, Chunk& chunk)
      : form_(form), variant_(variant), random_(random), chunk_(chunk) {}

  void encode() {
    choose_widths();
    put_prefixes();
    put_opcode();
    if (form_.operand != Operand::none) put_modrm();
    put_immediate();
  }

 private:
  void choose_widths() {
    is_memory_ = form_.operand == Operand::memory || (form_.operand == Operand::any && random_.chance(60));
    if (form_.operand == Operand::memory && !(form_.traits & kMemoryOnly) && random_.chance(2))
      is_memory_ = false;  // often #UD
    has_66_ = random_.chance(variant_.bits == 64 ? 12 : 20);
    if (form_.traits & kBare) has_66_ = false;
    if (form_.traits & kWide) has_66_ = variant_.bits == 16;
    has_67_ = random_.chance(6);
    if (variant_.bits == 64) {
      const bool wide = random_.chance(45) && !(form_.traits & kNarrow);
      rex_ = random_.chance(wide ? 100 : 25) ? 0x40 | (wide ? 8 : 0) | random_.below(8) : 0;
    }
    operand_bytes_ = rex_ & 8 ? 8 : (variant_.bits == 16) != has_66_ ? 2 : 4;
    address_bytes_ = variant_.bits == 64 ? (has_67_ ? 4 : 8) : (variant_.bits == 16) != has_67_ ? 2 : 4;
  }

  void put_prefixes() {
    constexpr u8 kOverrides[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    if (has_66_) chunk_.byte(0x66);
    if (has_67_) chunk_.byte(0x67);
    if (random_.chance(5)) chunk_.byte(random_.pick(kOverrides));
    const bool lockable = (form_.traits & kLockable) && is_memory_;
    if (random_.chance(lockable ? 12 : 1)) chunk_.byte(0xf0);
    if (!(form_.traits & kBare) && random_.chance(form_.traits & kRepeats ? 65 : 2))
      chunk_.byte(0xf2 + random_.below(2));
    if (form_.prefix) chunk_.byte(form_.prefix);
    if (rex_) chunk_.byte(rex_);
  }

  void put_opcode() {
    if (form_.map) chunk_.byte(0x0f);
    if (form_.map == 2) chunk_.byte(0x38);
    if (form_.map == 3) chunk_.byte(0x3a);
    u8 opcode = static_cast<u8>(form_.opcode + random_.below(form_.count) * form_.step);
    // The stack pointer is no operand to play with.
    const bool names_register = form_.operand == Operand::none && form_.step == 1 && form_.count >= 8;
    if (names_register && opcode % 8 == 4 && form_.opcode != 0xa4) opcode ^= 1;
    chunk_.byte(opcode);
  }

  u32 pick_register() {
    if (random_.chance(80)) return random_.pick(kScratch);
    const u32 reg = random_.below(8);
    return reg == 4 ? 0 : reg;
  }

  u32 reg_field() {
    if (!form_.reg_mask) return pick_register();
    for (;;) {
      const u32 reg = random_.below(8);
      if (form_.reg_mask >> reg & 1) return reg;
    }
  }

  void put_modrm() {
    const bool names_segment = form_.map == 0 && (form_.opcode == 0x8c || form_.opcode == 0x8e);
    const u32 reg = names_segment ? random_.below(random_.chance(70) ? 6 : 8) : reg_field();
    if (!is_memory_) return chunk_.byte(0xc0 | reg << 3 | pick_register());
    if (address_bytes_ == 2) return put_memory16(reg);
    put_memory32(reg);
  }

  void put_memory16(u32 reg) {
    if (random_.chance(25)) {  // an address
      chunk_.byte(reg << 3 | 6);
      return chunk_.put(data_address(variant_, random_), 2);
    }
    const u32 mod = random_.below(3), rm = random_.below(8);
    chunk_.byte(mod << 6 | reg << 3 | rm);
    if (mod == 0 && rm == 6) return chunk_.put(data_address(variant_, random_), 2);
    if (mod == 1) chunk_.byte(random_.below(256));
    if (mod == 2) chunk_.put(random_.below(0x80), 2);
  }

  void put_memory32(u32 reg) {
    const u32 kind = random_.below(100);
    if (kind < 15) {  // an address; relative to RIP in 64-bit code
      chunk_.byte(reg << 3 | 5);
      const u64 address = data_address(variant_, random_);
      return chunk_.put(variant_.bits == 64 ? address - kCode - random_.below(256) : address, 4);
    }
    if (kind < 25) {  // an address through SIB
      chunk_.byte(reg << 3 | 4);
      chunk_.byte(4 << 3 | 5);
      return chunk_.put(data_address(variant_, random_), 4);
    }
    const u32 base = random_.chance(92) ? random_.pick(kPointers) : random_.below(8);
    const u32 mod = kind < 70 ? 1 : kind < 85 && base != 5 ? 0 : 2;
    if (base == 4 || random_.chance(15)) {
      chunk_.byte(mod << 6 | reg << 3 | 4);
      chunk_.byte((random_.chance(70) ? 4 : random_.pick(kScratch)) << 3 | random_.below(4) << 6 | base);
    } else {
      chunk_.byte(mod << 6 | reg << 3 | base);
    }
    if (mod == 1) chunk_.byte(random_.below(256));
    if (mod == 2) chunk_.put(random_.chance(80) ? random_.below(0x1000) : random_.operand(), 4);
  }

  void put_immediate() {
    switch (form_.immediate) {
      case Immediate::none:
        return;
      case Immediate::b:
        return chunk_.byte(random_.operand() & (form_.traits & kPositive ? 0x7f : form_.traits & kSmall ? 7 : 0xff));
      case Immediate::w:
        return chunk_.put(random_.below(64), 2);
      case Immediate::z:
        return chunk_.put(random_.operand(), operand_bytes_ == 2 ? 2 : 4);
      case Immediate::v:
        return chunk_.put(random_.operand(), operand_bytes_);
      case Immediate::o:
        return chunk_.put(data_address(variant_, random_), address_bytes_);
      case Immediate::p:
        chunk_.put(kCode, operand_bytes_ == 2 ? 2 : 4);
        return chunk_.put(random_.below(kGdtEnd), 2);
      case Immediate::e:
        chunk_.put(random_.below(random_.chance(80) ? 64 : 0x2000), 2);
        return chunk_.byte(random_.chance(70) ? random_.below(4) : random_.below(256));
    }
  }

  const Form& form_;
  const Variant& variant_;
  Random& random_;
  Chunk& chunk_;
  bool is_memory_ = false, has_66_ = false, has_67_ = false;
  u32 rex_ = 0, operand_bytes_ = 4, address_bytes_ = 4;
};

}  // namespace

void put_instruction(const Form& form, const Variant& variant, Random& random, Chunk& chunk) {
  Encoder(form, variant, random, chunk).encode();
}

u64 data_address(const Variant& variant, Random& random) {
  u64 page = random.below(16) * kPage;
  const u32 kind = random.below(100);
  u64 address = page + (kind < 25 ? kPage - 1 - random.below(16) : random.below(kPage) & ~u64{kind < 60 ? 7u : 0u});
  if (variant.bits == 16) return address & 0xffff;
  if (kind >= 97) return kMmio + random.below(kPage);
  if (kind == 96 && has_paging(variant.mode)) return kLargePage + kData + address;
  return kData + address;
}

u64 register_value(unsigned index, const Variant& variant, Random& random) {
  const bool is_pointer = index == 3 || index == 5 || index == 6 || index == 7 || index >= 12;
  if (random.chance(is_pointer ? 90 : 10)) return data_address(variant, random);
  const u64 value = random.operand();
  return variant.bits == 16 && random.chance(80) ? value & 0xffff : value;
}

void put_load(unsigned reg, u64 value, const Variant& variant, Chunk& chunk) {
  if (variant.bits == 64) chunk.byte(0x48 | (reg >= 8 ? 1 : 0));
  if (variant.bits == 16) chunk.byte(0x66);  // all 32 bits, for those who use them
  chunk.byte(0xb8 + (reg & 7));
  chunk.put(value, variant.bits == 64 ? 8 : 4);
}

}  // namespace conformance::random
