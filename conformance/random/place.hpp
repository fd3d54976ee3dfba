// Where things lie in the memory of a random guest. Addresses are physical and, with paging, linear as well: all tables
// map to themselves. The pages of the page tables themselves are not mapped.
#pragma once

#include "conformance/random/random.hpp"

namespace conformance::random {

inline constexpr u64 kPage = 0x1000;
inline constexpr u64 kRamBytes = 0x20000;

inline constexpr u64 kVectorTable = 0x0;  // of real mode
inline constexpr u64 kHandlers = 0x1000;  // 8 bytes per vector: HLT, drop the error code, IRET
inline constexpr u64 kSystemCalls = 0x1800;
inline constexpr u64 kGdt = 0x2000;
inline constexpr u64 kLdt = 0x2800;
inline constexpr u64 kIdt = 0x3000;
inline constexpr u64 kTss = 0x4000;
inline constexpr u64 kOtherTss = 0x4800;
inline constexpr u64 kTopTable = 0x5000;  // what CR3 points to
inline constexpr u64 kPdpt = 0x6000;
inline constexpr u64 kPd = 0x7000;
inline constexpr u64 kPt = 0x8000;
inline constexpr u64 kCode = 0xa000, kCodeEnd = 0xc000;
inline constexpr u64 kKernelStack = 0xd000, kKernelStackTop = 0xf000;
inline constexpr u64 kUserStackTop = 0x10000;
inline constexpr u64 kData = 0x10000;  // 16 pages; with paging some of them are special:
inline constexpr u64 kNotPresentPage = 0x12000, kReadOnlyPage = 0x14000, kSupervisorPage = 0x16000,
                     kNoExecPage = 0x18000;
inline constexpr u64 kMmio = 0x40000;        // one page without memory
inline constexpr u64 kLargePage = 0x800000;  // the first pages again, through a large page

constexpr u64 handler(unsigned vector) { return kHandlers + vector * 8; }

// Selectors. "Native" is 64-bit code in long mode, 32-bit code elsewhere.
enum Selector : u16 {
  kKernelCs = 0x08,
  kKernelDs = 0x10,
  kUserCs = 0x18 | 3,
  kUserDs = 0x20 | 3,
  kTssSelector = 0x28,  // 16 bytes in long mode, as the next one
  kLdtSelector = 0x38,
  kCode16 = 0x48,
  kCode32 = 0x50,
  kConforming = 0x58,
  kReadOnlyDs = 0x60,
  kAbsentDs = 0x68,
  kAbsentCs = 0x70,
  kExpandDown = 0x78,
  kExecuteOnly = 0x80,
  kDataAt64K = 0x88,  // ring 3, base kData, limit 0xffff, 16 bit
  kCallGate = 0x90,   // 16 bytes in long mode
  kOtherTssSelector = 0xa0,
  kUserCode16 = 0xb0 | 3,
  kUserCode32 = 0xb8 | 3,
  kStack16 = 0xc0,  // base 0, 16 bit
  kUserStack16 = 0xc8 | 3,
  kGdtEnd = 0xd0,
};

}  // namespace conformance::random
