// Breakpoints in DR0-DR3 and single-stepping.
#include "mock/cpu/debug.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/system_test_bus.hpp"

namespace mock::cpu {
namespace {

TEST(Breakpoints, match_by_kind_length_and_overlap) {
  State s;
  s.dr = {0x1000, 0x2000, 0x3000, 0x60};
  s.dr7 = 0x1 | 0x4 | 0x10 | 0x40 | 1u << 20 | 3u << 24 | 3u << 26 | 2u << 28 | 1u << 30;
  EXPECT_EQ(breakpoint_hits(s, Watch::execute, 0x1000, 1), 1u);
  EXPECT_EQ(breakpoint_hits(s, Watch::execute, 0x1001, 1), 0u);
  EXPECT_EQ(breakpoint_hits(s, Watch::write, 0x1fff, 2), 2u);
  EXPECT_EQ(breakpoint_hits(s, Watch::access, 0x2000, 1), 0u) << "a write breakpoint ignores reads";
  EXPECT_EQ(breakpoint_hits(s, Watch::access, 0x3003, 1), 4u);
  EXPECT_EQ(breakpoint_hits(s, Watch::write, 0x3003, 1), 4u);
  EXPECT_EQ(breakpoint_hits(s, Watch::access, 0x3004, 1), 0u);
  EXPECT_EQ(breakpoint_hits(s, Watch::write, 0x60, 1), 0u) << "a port is no address";
  s.dr7 &= ~u64{0xff};
  EXPECT_EQ(breakpoint_hits(s, Watch::execute, 0x1000, 1), 0u);
}

// Real mode; the #DB handler at 0x7800 stores IP and DR6, clears DR6 and DR7 (and TF in the frame), and returns.
struct Machine {
  SystemTestBus bus;
  Cpu cpu{bus};

  explicit Machine(std::initializer_list<u8> code) {
    u64 at = 0x8000;
    for (const u8 byte : code) bus.poke<u8>(at++, byte);
    constexpr u8 kHandler[] = {0x55, 0x89, 0xe5,                                // push bp; mov bp, sp
                               0x8b, 0x46, 0x02, 0xa3, 0x00, 0x60,              // mov ax, [bp+2]; mov [0x6000], ax
                               0x66, 0x0f, 0x21, 0xf0, 0x66, 0xa3, 0x04, 0x60,  // mov eax, dr6; mov [0x6004], eax
                               0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf0, 0x0f, 0x23,
                               0xf8,                                 // xor eax, eax; mov dr6, eax; mov dr7, eax
                               0x80, 0x66, 0x07, 0xfe,               // and byte [bp+7], ~1 (TF)
                               0xff, 0x06, 0x08, 0x60, 0x5d, 0xcf};  // inc word [0x6008]; pop bp; iret
    bus.poke(0x7800, kHandler);
    bus.poke<u32>(4, 0x7800);
    State& s = cpu.state();
    s.seg[CS].selector = 0;
    s.seg[CS].base = 0;
    s.rip = 0x8000;
    s.gpr[RSP] = 0x7000;
    cpu.state_changed();
  }
  u16 ip() const { return bus.peek<u16>(0x6000); }
  u32 dr6() const { return bus.peek<u32>(0x6004); }
  u16 count() const { return bus.peek<u16>(0x6008); }
};

TEST(Breakpoints, code_breakpoint_is_a_fault_before_the_instruction) {
  Machine m({0x40, 0x40, 0xf4});  // inc ax; inc ax; hlt
  m.cpu.state().dr[0] = 0x8001;
  m.cpu.state().dr7 = 0x401;
  m.cpu.state_changed();
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.count(), 1);
  EXPECT_EQ(m.ip(), 0x8001);
  EXPECT_EQ(m.dr6(), 0xffff0ff1u);
}

TEST(Breakpoints, write_breakpoint_is_a_trap_after_the_instruction) {
  Machine m({0xa1, 0x00, 0x61, 0xa3, 0x00, 0x61, 0x90, 0xf4});  // mov ax, [0x6100]; mov [0x6100], ax; nop; hlt
  m.cpu.state().dr[1] = 0x6101;
  m.cpu.state().dr7 = 0x404 | 1u << 20;
  m.cpu.state_changed();
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.count(), 1);
  EXPECT_EQ(m.ip(), 0x8006);
  EXPECT_EQ(m.dr6(), 0xffff0ff2u);
}

TEST(SingleStep, traps_after_the_instruction_that_follows_popf) {
  Machine m({0x68, 0x02, 0x01, 0x9d, 0x90, 0x90, 0xf4});  // push 0x102; popf; nop; nop; hlt
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.count(), 1);
  EXPECT_EQ(m.ip(), 0x8005);
  EXPECT_EQ(m.dr6(), 0xffff4ff0u);
}

TEST(SingleStep, mov_ss_holds_the_trap_off_for_one_instruction) {
  Machine m({0x68, 0x02, 0x01, 0x9d, 0x8e, 0xd1, 0x90, 0x90, 0xf4});  // push 0x102; popf; mov ss, cx; nop; nop; hlt
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.ip(), 0x8007);
}

TEST(SingleStep, rep_traps_after_each_iteration_and_at_last_behind_it) {
  // push 0x102; popf; rep stosb; hlt. The handler turns TF off, so that one trap is seen.
  for (const u16 count : {u16{3}, u16{1}}) {
    Machine m({0x68, 0x02, 0x01, 0x9d, 0xf3, 0xaa, 0xf4});
    m.cpu.state().gpr[RCX] = count;
    m.cpu.state().gpr[RDI] = 0x6100;
    ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
    EXPECT_EQ(m.count(), 1);
    EXPECT_EQ(m.ip(), count == 1 ? 0x8006 : 0x8004) << count;
  }
}

TEST(SingleStep, int_n_does_not_trap_in_its_handler) {
  Machine m({0x68, 0x02, 0x01, 0x9d, 0xcd, 0x80, 0xf4});  // push 0x102; popf; int 0x80; hlt
  m.bus.poke<u32>(0x80 * 4, 0x7900);
  constexpr u8 kHandler[] = {0x83, 0xc4, 0x06, 0xf4};  // add sp, 6; hlt
  m.bus.poke(0x7900, kHandler);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.count(), 0);
  EXPECT_EQ(m.cpu.state().rip, 0x7904u);
}

}  // namespace
}  // namespace mock::cpu
