// Forms: what instructions the generator knows, as opcodes with their operands. Several opcodes that differ in a few
// bits share a row. Everything else about an encoding (prefixes, ModRM, displacement, immediate) is chance, so that
// illegal combinations occur as well.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "conformance/random/random.hpp"

namespace conformance::random {

// Groups that can be asked for by name, and from which a program takes a mixture.
enum class Family : u8 { integer, string, stack, flow, segment, system, io, x87, sse, code };
inline constexpr std::string_view kFamilyNames[] = {"integer", "string", "stack", "flow", "segment",
                                                    "system",  "io",     "x87",   "sse",  "code"};
inline constexpr unsigned kFamilies = std::size(kFamilyNames);
std::optional<Family> family_from_name(std::string_view name);

// What follows the opcode: ModRM with any operand, with memory, with a register.
enum class Operand : u8 { none, any, memory, reg };
// b: byte, w: word, z: 2 or 4 bytes, v: 2, 4 or 8, o: an address, p: far pointer, e: ENTER's.
enum class Immediate : u8 { none, b, w, z, v, o, p, e };

enum FormTrait : u16 {
  kLockable = 1 << 0,
  kLeavesFlags = 1 << 1,  // some flag is undefined afterwards: a CMP follows
  kRepeats = 1 << 2,      // REP means something
  kNot64 = 1 << 3,
  kCountInCl = 1 << 4,
  kBare = 1 << 5,     // without 66, F2, F3, which make another instruction or none
  kNever64 = 1 << 6,  // not even to see #UD
  kWide = 1 << 7,     // 32 or 64 bits: with 16 the result is undefined
  kOnly64 = 1 << 8,
  kNarrow = 1 << 9,     // without REX.W
  kPositive = 1 << 10,  // the immediate is below 0x80
  kRing0 = 1 << 12,     // in ring 3 never
  kMemoryOnly = 1 << 13,
  kSmall = 1 << 14,         // the immediate is below 8
  kLeavesRights = 1 << 11,  // LAR: some bits are undefined
};

struct Form {
  Family family;
  u8 weight;
  u8 map;  // 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A
  u8 opcode;
  u8 count = 1, step = 1;  // opcode, opcode + step, ...
  Operand operand = Operand::none;
  Immediate immediate = Immediate::none;
  u8 reg_mask = 0;  // which ModRM.reg; 0: any
  u8 prefix = 0;    // mandatory 66, F2, F3
  u16 traits = 0;
};

std::span<const Form> forms();

}  // namespace conformance::random
