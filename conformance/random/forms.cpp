// The table of forms. SDM vol. 2, appendix A (opcode maps).
#include "conformance/random/forms.hpp"

#include <algorithm>

namespace conformance::random {
namespace {

using enum Family;
constexpr auto kAny = Operand::any, kMem = Operand::memory, kReg = Operand::reg, kNone = Operand::none;
constexpr auto kI = Immediate::none, kIb = Immediate::b, kIw = Immediate::w, kIz = Immediate::z, kIv = Immediate::v;

// clang-format off
constexpr Form kForms[] = {
    // family, weight, map, opcode, count, step, operand, immediate, reg_mask, prefix, traits
    {integer, 8, 0, 0x00, 8, 8, kAny, kI, 0, 0, kLockable},
    {integer, 8, 0, 0x01, 8, 8, kAny, kI, 0, 0, kLockable},
    {integer, 6, 0, 0x02, 8, 8, kAny},
    {integer, 6, 0, 0x03, 8, 8, kAny},
    {integer, 3, 0, 0x04, 8, 8, kNone, kIb},
    {integer, 3, 0, 0x05, 8, 8, kNone, kIz},
    {integer, 4, 0, 0x40, 16, 1, kNone, kI, 0, 0, kNot64 | kNever64},
    {integer, 3, 0, 0x63, 1, 1, kAny, kI, 0, 0, kOnly64},
    {integer, 1, 0, 0x63, 1, 1, kReg, kI, 0, 0, kNot64 | kNever64},
    {integer, 2, 0, 0x69, 1, 1, kAny, kIz, 0, 0, kLeavesFlags},
    {integer, 2, 0, 0x6b, 1, 1, kAny, kIb, 0, 0, kLeavesFlags},
    {integer, 5, 0, 0x80, 1, 1, kAny, kIb, 0, 0, kLockable},
    {integer, 5, 0, 0x81, 1, 1, kAny, kIz, 0, 0, kLockable},
    {integer, 1, 0, 0x82, 1, 1, kAny, kIb, 0, 0, kLockable | kNot64},
    {integer, 6, 0, 0x83, 1, 1, kAny, kIb, 0, 0, kLockable},
    {integer, 3, 0, 0x84, 2, 1, kAny},
    {integer, 4, 0, 0x86, 2, 1, kAny, kI, 0, 0, kLockable},
    {integer, 10, 0, 0x88, 4, 1, kAny},
    {integer, 3, 0, 0x8d, 1, 1, kMem},
    {integer, 3, 0, 0x90, 8},
    {integer, 3, 0, 0x98, 2},
    {integer, 2, 0, 0x9e, 2},
    {integer, 3, 0, 0xa0, 4, 1, kNone, Immediate::o},
    {integer, 2, 0, 0xa8, 1, 1, kNone, kIb},
    {integer, 2, 0, 0xa9, 1, 1, kNone, kIz},
    {integer, 2, 0, 0xb0, 8, 1, kNone, kIb},
    {integer, 3, 0, 0xb8, 8, 1, kNone, kIv},
    {integer, 5, 0, 0xc0, 2, 1, kAny, kIb, 0, 0, kLeavesFlags},
    {integer, 3, 0, 0xd0, 2, 1, kAny, kI, 0, 0, kLeavesFlags},
    {integer, 4, 0, 0xd2, 2, 1, kAny, kI, 0, 0, kLeavesFlags | kCountInCl},
    {integer, 4, 0, 0xc6, 1, 1, kAny, kIb, 1},
    {integer, 4, 0, 0xc7, 1, 1, kAny, kIz, 1},
    {integer, 2, 0, 0x27, 4, 8, kNone, kI, 0, 0, kNot64 | kLeavesFlags},  // DAA DAS AAA AAS
    {integer, 2, 0, 0xd4, 2, 1, kNone, kIb, 0, 0, kNot64 | kNever64 | kLeavesFlags | kPositive},
    {integer, 1, 0, 0xd6, 1, 1, kNone, kI, 0, 0, kNot64 | kNever64},
    {integer, 2, 0, 0xd7},
    {integer, 2, 0, 0xf5},
    {integer, 3, 0, 0xf6, 1, 1, kAny, kIb, 0x03},
    {integer, 3, 0, 0xf7, 1, 1, kAny, kIz, 0x03},
    {integer, 5, 0, 0xf6, 2, 1, kAny, kI, 0x0c, 0, kLockable},
    {integer, 5, 0, 0xf6, 2, 1, kAny, kI, 0xf0, 0, kLeavesFlags},
    {integer, 2, 0, 0xf8, 2},
    {integer, 2, 0, 0xfc, 2},
    {integer, 4, 0, 0xfe, 2, 1, kAny, kI, 0x03, 0, kLockable},
    {integer, 1, 1, 0x0b}, {integer, 1, 1, 0xb9, 1, 1, kAny}, {integer, 1, 1, 0xff, 1, 1, kAny},
    {integer, 1, 1, 0x0d, 1, 1, kMem}, {integer, 1, 1, 0x18, 1, 1, kMem, kI, 0x0f}, {integer, 1, 1, 0x1f, 1, 1, kAny},
    {integer, 4, 1, 0x40, 16, 1, kAny},
    {integer, 4, 1, 0x90, 16, 1, kAny},
    {integer, 3, 1, 0xa3, 4, 8, kAny, kI, 0, 0, kLockable | kLeavesFlags},  // BT BTS BTR BTC
    {integer, 3, 1, 0xba, 1, 1, kAny, kIb, 0xf0, 0, kLockable | kLeavesFlags},
    {integer, 2, 1, 0xa4, 2, 8, kAny, kIb, 0, 0, kLeavesFlags},
    {integer, 2, 1, 0xa5, 2, 8, kAny, kI, 0, 0, kLeavesFlags | kCountInCl},
    {integer, 2, 1, 0xaf, 1, 1, kAny, kI, 0, 0, kLeavesFlags},
    {integer, 4, 1, 0xb0, 2, 1, kAny, kI, 0, 0, kLockable},
    {integer, 4, 1, 0xb6, 2, 1, kAny},
    {integer, 4, 1, 0xbe, 2, 1, kAny},
    {integer, 2, 1, 0xb8, 1, 1, kAny, kI, 0, 0xf3},
    {integer, 3, 1, 0xbc, 2, 1, kAny, kI, 0, 0, kLeavesFlags},
    {integer, 2, 1, 0xbc, 2, 1, kAny, kI, 0, 0xf3, kLeavesFlags},
    {integer, 3, 1, 0xc0, 2, 1, kAny, kI, 0, 0, kLockable},
    {integer, 1, 1, 0xc3, 1, 1, kMem, kI, 0, 0, kBare | kOnly64},
    {integer, 2, 1, 0xc7, 1, 1, kMem, kI, 0x02, 0, kLockable | kBare | kNarrow},
    {integer, 3, 1, 0xc8, 8, 1, kNone, kI, 0, 0, kWide},
    {integer, 2, 2, 0xf0, 2, 1, kMem},
    {integer, 2, 2, 0xf0, 2, 1, kAny, kI, 0, 0xf2},
    {integer, 2, 2, 0xf6, 1, 1, kAny, kI, 0, 0x66}, {integer, 2, 2, 0xf6, 1, 1, kAny, kI, 0, 0xf3},

    {string, 5, 0, 0xa4, 4, 1, kNone, kI, 0, 0, kRepeats},
    {string, 6, 0, 0xaa, 6, 1, kNone, kI, 0, 0, kRepeats},
    {string, 1, 0, 0xfc, 2},

    {stack, 6, 0, 0x50, 16},
    {stack, 1, 0, 0x60, 2, 1, kNone, kI, 0, 0, kNot64},
    {stack, 2, 0, 0x68, 1, 1, kNone, kIz}, {stack, 2, 0, 0x6a, 1, 1, kNone, kIb},
    {stack, 3, 0, 0x8f, 1, 1, kAny, kI, 1},
    {stack, 3, 0, 0xff, 1, 1, kAny, kI, 0x40},
    {stack, 2, 0, 0x9c}, {stack, 2, 0, 0x9d},
    {stack, 2, 0, 0xc8, 1, 1, kNone, Immediate::e}, {stack, 1, 0, 0xc9},

    {segment, 5, 0, 0x8c, 1, 1, kAny}, {segment, 6, 0, 0x8e, 1, 1, kAny},
    {segment, 1, 0, 0x06, 4, 8, kNone, kI, 0, 0, kNot64}, {segment, 1, 0, 0x07, 1, 1, kNone, kI, 0, 0, kNot64},
    {segment, 1, 0, 0x17, 2, 8, kNone, kI, 0, 0, kNot64},
    {segment, 2, 1, 0xa0, 2, 8}, {segment, 2, 1, 0xa1, 2, 8},
    {segment, 2, 0, 0xc4, 2, 1, kMem, kI, 0, 0, kNot64},
    {segment, 1, 1, 0xb2, 1, 1, kMem}, {segment, 2, 1, 0xb4, 2, 1, kMem},
    {segment, 2, 1, 0x02, 1, 1, kAny, kI, 0, 0, kLeavesRights}, {segment, 2, 1, 0x03, 1, 1, kAny}, {segment, 3, 1, 0x00, 1, 1, kAny, kI, 0x30},
    {segment, 2, 1, 0x00, 1, 1, kAny, kI, 0x03},

    {io, 3, 0, 0xe4, 4, 1, kNone, kIb}, {io, 3, 0, 0xec, 4}, {io, 2, 0, 0x6c, 4, 1, kNone, kI, 0, 0, kRepeats},

    {system, 2, 0, 0xfa, 2}, {system, 1, 0, 0xf4}, {system, 1, 0, 0xf1}, {system, 2, 0, 0xcd, 1, 1, kNone, kIb},
    {system, 1, 0, 0xcc}, {system, 1, 0, 0xce, 1, 1, kNone, kI, 0, 0, kNot64 | kNever64},
    {system, 2, 0, 0x62, 1, 1, kMem, kI, 0, 0, kNot64},
    {system, 1, 0, 0x9b}, {system, 1, 1, 0x06}, {system, 1, 1, 0x08, 2, 1, kNone, kI, 0, 0, kRing0},
    {system, 2, 1, 0x01, 1, 1, kMem, kI, 0x13, 0, kMemoryOnly}, {system, 1, 1, 0x01, 1, 1, kReg, kI, 0x10},
    {system, 1, 1, 0x01, 1, 1, kMem, kI, 0x80, 0, kMemoryOnly},
    {system, 2, 1, 0xa2},

    // Memory operands of every format; the transcendental functions are left out.
    {x87, 6, 0, 0xd8, 8, 2, kMem, kI, 0xff},
    {x87, 3, 0, 0xd9, 1, 1, kMem, kI, 0xfd}, {x87, 3, 0, 0xdb, 1, 1, kMem, kI, 0xaf},
    {x87, 3, 0, 0xdd, 1, 1, kMem, kI, 0xdf}, {x87, 3, 0, 0xdf, 1, 1, kMem, kI, 0xff},
    {x87, 5, 0, 0xd8, 1, 1, kReg, kI, 0xff}, {x87, 4, 0, 0xdc, 1, 1, kReg, kI, 0xff}, {x87, 3, 0, 0xde, 1, 1, kReg, kI, 0xfb},
    {x87, 4, 0, 0xd9, 1, 1, kReg, kI, 0x2b}, {x87, 2, 0, 0xda, 1, 1, kReg, kI, 0x0f}, {x87, 2, 0, 0xdb, 1, 1, kReg, kI, 0x6f},
    {x87, 3, 0, 0xdd, 1, 1, kReg, kI, 0x3d}, {x87, 2, 0, 0xdf, 1, 1, kReg, kI, 0x70},
    {x87, 1, 0, 0x9b},
    // MMX
    {x87, 4, 1, 0x60, 12, 1, kAny, kI, 0, 0, kBare}, {x87, 2, 1, 0x6e, 2, 1, kAny, kI, 0, 0, kBare},
    {x87, 2, 1, 0x74, 3, 1, kAny, kI, 0, 0, kBare}, {x87, 1, 1, 0x77, 1, 1, kNone, kI, 0, 0, kBare},
    {x87, 2, 1, 0x7e, 2, 1, kAny, kI, 0, 0, kBare}, {x87, 2, 1, 0x71, 3, 1, kReg, kIb, 0x54, 0, kBare},
    {x87, 6, 1, 0xd1, 47, 1, kAny, kI, 0, 0, kBare},

    {sse, 3, 1, 0x10, 8, 1, kAny, kI, 0, 0, kBare}, {sse, 2, 1, 0x10, 8, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 2, 1, 0x10, 3, 1, kAny, kI, 0, 0xf3, kBare}, {sse, 2, 1, 0x10, 3, 1, kAny, kI, 0, 0xf2, kBare},
    {sse, 3, 1, 0x28, 8, 1, kAny, kI, 0, 0, kBare}, {sse, 3, 1, 0x28, 8, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 3, 1, 0x2a, 4, 1, kAny, kI, 0, 0xf3, kBare}, {sse, 3, 1, 0x2a, 4, 1, kAny, kI, 0, 0xf2, kBare},
    {sse, 1, 1, 0x50, 1, 1, kReg, kI, 0, 0, kBare}, {sse, 1, 1, 0x50, 1, 1, kReg, kI, 0, 0x66, kBare},
    {sse, 2, 1, 0x51, 1, 1, kAny, kI, 0, 0, kBare}, {sse, 2, 1, 0x51, 1, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 6, 1, 0x54, 12, 1, kAny, kI, 0, 0, kBare}, {sse, 6, 1, 0x54, 12, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 6, 1, 0x58, 8, 1, kAny, kI, 0, 0xf3, kBare}, {sse, 6, 1, 0x58, 8, 1, kAny, kI, 0, 0xf2, kBare},
    {sse, 6, 1, 0x60, 16, 1, kAny, kI, 0, 0x66, kBare}, {sse, 2, 1, 0x70, 1, 1, kAny, kIb, 0, 0x66, kBare},
    {sse, 1, 1, 0x70, 1, 1, kAny, kIb, 0, 0xf3, kBare}, {sse, 1, 1, 0x70, 1, 1, kAny, kIb, 0, 0xf2, kBare},
    {sse, 2, 1, 0x71, 3, 1, kReg, kIb, 0x54, 0x66, kBare}, {sse, 2, 1, 0x74, 3, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 2, 1, 0x7e, 2, 1, kAny, kI, 0, 0x66, kBare}, {sse, 1, 1, 0x7e, 2, 1, kAny, kI, 0, 0xf3, kBare},
    {sse, 3, 1, 0xc2, 1, 1, kAny, kIb, 0, 0, kBare | kSmall}, {sse, 3, 1, 0xc2, 1, 1, kAny, kIb, 0, 0x66, kBare | kSmall},
    {sse, 3, 1, 0xc2, 1, 1, kAny, kIb, 0, 0xf3, kBare | kSmall}, {sse, 3, 1, 0xc2, 1, 1, kAny, kIb, 0, 0xf2, kBare | kSmall},
    {sse, 2, 1, 0xc4, 1, 1, kAny, kIb, 0, 0x66, kBare}, {sse, 2, 1, 0xc5, 1, 1, kReg, kIb, 0, 0x66, kBare},
    {sse, 2, 1, 0xc6, 1, 1, kAny, kIb, 0, 0, kBare}, {sse, 2, 1, 0xc6, 1, 1, kAny, kIb, 0, 0x66, kBare},
    {sse, 10, 1, 0xd1, 47, 1, kAny, kI, 0, 0x66, kBare},
    {sse, 3, 1, 0xae, 1, 1, kMem, kI, 0x0c, 0, kBare | kMemoryOnly},
};
// clang-format on

}  // namespace

std::optional<Family> family_from_name(std::string_view wanted) {
  for (unsigned i = 0; i < kFamilies; ++i)
    if (kFamilyNames[i] == wanted) return static_cast<Family>(i);
  return std::nullopt;
}

std::span<const Form> forms() { return kForms; }

}  // namespace conformance::random
