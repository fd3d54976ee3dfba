// A CPU in 32-bit protected mode that runs a few bytes of code, for unit tests of system instructions: which fault they
// raise, what they leave in registers and memory.
#pragma once

#include <gtest/gtest.h>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/segment.hpp"
#include "mock/cpu/system_test_bus.hpp"

namespace mock::cpu {

inline constexpr u64 kGdtAt = 0x1000, kIdtAt = 0x2000, kCodeAt = 0x8000, kHandlers = 0x5000, kTssAt = 0x3000;

// 32-bit protected mode; the handler of vector v is a HLT at 5000 + v, so that RIP tells the fault.
struct CodeMachine {
  SystemTestBus bus;
  Cpu cpu{bus};

  explicit CodeMachine(u8 cpl = 0) {
    const u64 kGdt[] = {0,
                        0x00cf9b000000ffff,
                        0x00cf93000000ffff,
                        0x00cffb000000ffff,
                        0x00cff3000000ffff,
                        pack_descriptor(kTssAt, 0x67, 0x89),
                        pack_descriptor(0x4000, 0x1f, 0x82),
                        0x0040920000000fff};
    for (unsigned i = 0; i < std::size(kGdt); ++i) bus.poke(kGdtAt + i * 8, kGdt[i]);
    for (u32 v = 0; v < 32; ++v) {
      bus.poke(kIdtAt + v * 8, pack_gate(8, static_cast<u32>(kHandlers + v), kInterruptGate32, 0));
      bus.poke<u8>(kHandlers + v, 0xf4);
    }
    bus.poke<u32>(kTssAt + 4, 0x7000);
    bus.poke<u16>(kTssAt + 8, 0x10);
    bus.cpuid_leaves[{0, 0}].eax = 7;
    State& s = cpu.state();
    s.cr0 = CR0_PE | CR0_ET;
    s.gdtr = {.base = kGdtAt, .limit = 63};
    s.idtr = {.base = kIdtAt, .limit = 255};
    s.cpl = cpl;
    const u16 rpl = cpl;
    s.seg[CS] = {.base = 0, .limit_bytes = ~0u, .selector = u16(cpl ? 0x1b : 8), .attributes = u16(0xc9b | rpl << 5)};
    for (const SegReg reg : {SS, DS, ES}) {
      s.seg[reg] = {
          .base = 0, .limit_bytes = ~0u, .selector = u16(cpl ? 0x23 : 0x10), .attributes = u16(0xc93 | rpl << 5)};
    }
    s.tr = {.base = kTssAt, .limit_bytes = 0x67, .selector = 0x28, .attributes = 0x8b};
    s.rip = kCodeAt;
    s.gpr[RSP] = 0x9000;
  }
  // A virtual-8086 task at CS:IP = 0800:0000, SS:SP = 0700:1000.
  void enter_v86(unsigned iopl, u64 cr4 = 0) {
    State& s = cpu.state();
    for (Segment& segment : s.seg) segment = vm86_segment(0x600);
    s.seg[CS] = vm86_segment(kCodeAt >> 4);
    s.seg[SS] = vm86_segment(0x700);
    s.cpl = 3;
    s.rip = 0;
    s.gpr[RSP] = 0x1000;
    s.cr4 = cr4;
    cpu.set_rflags(kFlagsFixedOne | VM | iopl << 12);
  }
  // Puts the code in place, with a HLT behind it.
  void load(std::initializer_list<u8> code) {
    u64 at = kCodeAt;
    for (const u8 byte : code) bus.poke(at++, byte);
    bus.poke<u8>(at, 0xf4);
    cpu.state_changed();
  }
  void run(std::initializer_list<u8> code) {
    load(code);
    EXPECT_EQ(cpu.run(100), Stop::hlt);
  }
  // The vector taken, -1 if none.
  int vector() const {
    const u64 rip = cpu.state().rip - 1;
    return rip >= kHandlers && rip < kHandlers + 32 ? static_cast<int>(rip - kHandlers) : -1;
  }
  u64 reg(Gpr r) const { return cpu.state().gpr[r]; }
  void set(Gpr r, u64 value) { cpu.state().gpr[r] = value; }
  bool zf() const { return cpu.rflags() & ZF; }
};

}  // namespace mock::cpu
