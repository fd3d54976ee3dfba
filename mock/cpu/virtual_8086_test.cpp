// Virtual-8086 mode with and without its extensions (CR4.VME): what goes to the monitor, what acts on VIF, where INT n
// goes; and CR4.PVI for ring 3 in protected mode. APM vol. 2 8.11, SDM vol. 3 20.3, 20.4.
#include "mock/cpu/code_test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kStackAt = 0x7000;

struct V86 : CodeMachine {
  explicit V86(unsigned iopl, u64 cr4 = 0, u64 flags = 0) {
    enter_v86(iopl, cr4);
    cpu.set_rflags(cpu.rflags() | flags);
    // The I/O map base leaves room for the redirection bitmap: all interrupts go to the monitor unless cleared.
    bus.poke<u16>(kTssAt + 102, 0x90);
    for (u64 i = 0; i < 32; ++i) bus.poke<u8>(kTssAt + 0x70 + i, 0xff);
    cpu.state().tr.limit_bytes = 0xff;
  }
  void push16(u16 value) {
    u64& sp = cpu.state().gpr[RSP];
    sp -= 2;
    bus.poke<u16>(kStackAt + sp, value);
  }
  u16 pushed() const { return bus.peek<u16>(kStackAt + reg(RSP)); }
  // EFLAGS as the last handler found them.
  u32 interrupted_flags(bool has_error) const { return bus.peek<u32>(reg(RSP) + (has_error ? 12 : 8)); }
};

struct Sensitive {
  const char* name;
  std::initializer_list<u8> code;
};
constexpr u8 kPushf = 0x9c, kPopf = 0x9d, kCli = 0xfa, kSti = 0xfb, kIret = 0xcf;

TEST(Virtual8086, sensitive_instructions_go_to_the_monitor_below_iopl_3) {
  const Sensitive kCases[] = {{"pushf", {kPushf}}, {"popf", {kPopf}}, {"cli", {kCli}},
                              {"sti", {kSti}},     {"iret", {kIret}}, {"int_n", {0xcd, 0x21}}};
  for (const Sensitive& c : kCases) {
    V86 m(0);
    m.run(c.code);
    EXPECT_EQ(m.vector(), GP) << c.name;
    EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), 0u) << c.name << ": EIP is on the instruction";
  }
}

TEST(Virtual8086, with_iopl_3_they_act_on_if) {
  V86 m(3, 0, IF);
  m.run({kCli, kPushf});
  EXPECT_EQ(m.vector(), GP) << "of HLT";
  EXPECT_FALSE(m.interrupted_flags(true) & IF);
  EXPECT_EQ(m.bus.peek<u16>(kStackAt + 0xffe) & (IF | IOPL), IOPL);
}

TEST(VirtualModeExtensions, cli_sti_pushf_and_popf_act_on_vif) {
  V86 m(0, CR4_VME, IF | VIF);
  m.run({kPushf, kCli, kPushf, kSti});
  EXPECT_EQ(m.vector(), GP) << "of HLT";
  EXPECT_EQ(m.bus.peek<u16>(kStackAt + 0xffe) & (IF | IOPL), IF | IOPL) << "VIF is shown as IF, IOPL as 3";
  EXPECT_EQ(m.bus.peek<u16>(kStackAt + 0xffc) & (IF | IOPL), IOPL);
  EXPECT_EQ(m.interrupted_flags(true) & (IF | VIF | IOPL), IF | VIF);
  V86 popf(0, CR4_VME, IF | VIF);
  popf.push16(CF);
  popf.run({kPopf});
  EXPECT_EQ(popf.interrupted_flags(true) & (CF | IF | VIF | IOPL), CF | IF);
}

TEST(VirtualModeExtensions, vif_can_not_be_set_while_an_interrupt_is_pending) {
  V86 sti(0, CR4_VME, VIP);
  sti.run({kSti});
  EXPECT_EQ(sti.vector(), GP);
  EXPECT_EQ(sti.bus.peek<u32>(sti.reg(RSP) + 4), 0u);
  for (const u8 opcode : {kPopf, kIret}) {
    V86 m(0, CR4_VME, VIP);
    m.push16(IF);
    if (opcode == kIret) m.push16(kCodeAt >> 4), m.push16(0x100);
    const u64 sp = m.reg(RSP);
    m.run({opcode});
    EXPECT_EQ(m.vector(), GP) << unsigned{opcode};
    EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), 0u);
    EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 16), sp) << "the stack is as it was";
  }
}

TEST(VirtualModeExtensions, the_32_bit_forms_and_a_set_tf_go_to_the_monitor) {
  for (const u8 opcode : {kPushf, kPopf, kIret}) {
    V86 m(0, CR4_VME);
    m.run({0x66, opcode});
    EXPECT_EQ(m.vector(), GP) << unsigned{opcode};
    EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), 0u);
  }
  V86 tf(0, CR4_VME);
  tf.push16(TF);
  tf.run({kPopf});
  EXPECT_EQ(tf.vector(), GP);
}

TEST(VirtualModeExtensions, iret_sets_vif_and_leaves_if) {
  V86 m(0, CR4_VME, IF);
  m.push16(IF | ZF);
  m.push16(kCodeAt >> 4);
  m.push16(1);
  m.run({kIret});
  EXPECT_EQ(m.vector(), GP) << "of HLT";
  EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), 1u);
  EXPECT_EQ(m.interrupted_flags(true) & (IF | VIF | ZF | IOPL), IF | VIF | ZF);
}

TEST(VirtualModeExtensions, the_bitmap_redirects_an_interrupt_into_the_task) {
  V86 m(0, CR4_VME, IF | VIF);
  m.bus.poke<u8>(kTssAt + 0x70 + 0x21 / 8, static_cast<u8>(~(1u << 0x21 % 8)));
  m.bus.poke<u32>(0x21 * 4, (kCodeAt >> 4) << 16 | 0x40);
  m.bus.poke<u8>(kCodeAt + 0x40, 0xf4);
  m.run({0xcd, 0x21});
  EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), 0x40u) << "HLT in the task's own handler";
  EXPECT_EQ(m.interrupted_flags(true) & (IF | VIF | VM), IF | VM);
  EXPECT_EQ(m.bus.peek<u16>(kStackAt + 0xffe) & (IF | IOPL), IF | IOPL);
  EXPECT_EQ(m.bus.peek<u16>(kStackAt + 0xffa), 2u) << "return address";
}

TEST(VirtualModeExtensions, an_interrupt_that_is_not_redirected_needs_iopl_3) {
  V86 refused(0, CR4_VME);
  refused.run({0xcd, 0x1f});
  EXPECT_EQ(refused.vector(), GP);
  V86 taken(3, CR4_VME);
  taken.bus.poke(kIdtAt + 0x1f * 8, pack_gate(8, kHandlers + 0x1f, kInterruptGate32, 3));
  taken.bus.poke<u8>(kHandlers + 0x1f, 0xf4);
  taken.run({0xcd, 0x1f});
  EXPECT_EQ(taken.vector(), 0x1f);
}

TEST(ProtectedVirtualInterrupts, cli_and_sti_of_ring_3_act_on_vif) {
  CodeMachine m(3);
  m.cpu.state().cr4 = CR4_PVI;
  m.cpu.set_rflags(kFlagsFixedOne | IF | VIF);
  m.run({kCli, kPushf, kSti});
  EXPECT_EQ(m.vector(), GP) << "of HLT";
  EXPECT_EQ(m.bus.peek<u32>(0x8ffc) & (IF | VIF | IOPL), IF) << "PUSHF shows EFLAGS as they are";
  EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 12) & (IF | VIF), IF | VIF);
  CodeMachine pending(3);
  pending.cpu.state().cr4 = CR4_PVI;
  pending.cpu.set_rflags(kFlagsFixedOne | VIP);
  pending.run({kSti});
  EXPECT_EQ(pending.vector(), GP);
  EXPECT_EQ(pending.bus.peek<u32>(pending.reg(RSP) + 4), kCodeAt);
}

}  // namespace
}  // namespace mock::cpu
