// The stack outside 64-bit mode: its pointer has the width of SS, wraps, and keeps its upper bits; the limit holds.
// Each snippet goes round three times, so that it runs through the general path (nothing is translated yet) and the
// fast one.
#include <gtest/gtest.h>

#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

SNIPPET(push_pop_16, ".code16", "mov $3, %cx; 1: push %ax; pop %bx; push $0x1234; pop %dx; loop 1b; hlt")
SNIPPET(push_pop_32_in_16, ".code16", "mov $3, %cx; 1: push %eax; pop %ebx; loop 1b; hlt")
SNIPPET(push_pop_sp, ".code16", "mov $3, %cx; 1: push %sp; pop %bx; push %bx; pop %sp; loop 1b; hlt")
SNIPPET(call_ret_16, ".code16", "mov $3, %cx; 1: sub $4, %sp; call 2f; loop 1b; hlt; 2: ret $4")
SNIPPET(push_pop_in_32, ".code32",
        "mov $3, %ecx; 1: push %eax; pop %ebx; sub $8, %esp; call 2f; loop 1b; hlt; 2: ret $8")
SNIPPET(push_across_limit, ".code16", "mov $3, %cx; 1: push %eax; pop %ebx; loop 1b; mov $2, %sp; push %eax; hlt")

constexpr u64 kCode = 0x1000;

struct Real : FlatMachine {
  explicit Real(std::string_view code, u64 rsp) {
    load(kCode, code);
    real_mode(kCode);
    reg(RSP) = rsp;
    reg(RAX) = 0x1111222233334444;
  }
};

TEST(Stack, SixteenBitPointerWrapsAndKeepsItsUpperBits) {
  Real m(push_pop_16(), 0x55550000);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RSP), 0x55550000u);
  EXPECT_EQ(m.reg(RBX), 0x4444u);
  EXPECT_EQ(m.reg(RDX), 0x1234u);
  EXPECT_EQ(m.peek<u16>(0xfffe), 0x1234);
}

TEST(Stack, OperandSizeIsIndependentOfThePointers) {
  Real m(push_pop_32_in_16(), 0x55550000);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RSP), 0x55550000u);
  EXPECT_EQ(m.reg(RBX), 0x33334444u);
  EXPECT_EQ(m.peek<u32>(0xfffc), 0x33334444u);
}

TEST(Stack, PushOfThePointerIsItsOldValueAndPopItsNew) {
  Real m(push_pop_sp(), 0x8000);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RBX), 0x8000u);
  EXPECT_EQ(m.reg(RSP), 0x8000u);
}

TEST(Stack, CallAndReturnWrapToo) {
  Real m(call_ret_16(), 0x55550004);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RSP), 0x55550004u);
  EXPECT_EQ(m.reg(RCX), 0u);
  EXPECT_EQ(m.peek<u16>(0xfffe), kCode + 3 + 3 + 3);  // behind MOV, SUB and CALL
}

TEST(Stack, ThirtyTwoBitMode) {
  FlatMachine m;
  m.load(kCode, push_pop_in_32());
  m.protected_mode(kCode);
  m.reg(RSP) = 0x8000;
  m.reg(RAX) = 0x33334444;
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RSP), 0x8000u);
  EXPECT_EQ(m.reg(RBX), 0x33334444u);
  EXPECT_EQ(m.reg(RCX), 0u);
}

TEST(Stack, APushAcrossTheLimitFaultsAndLeavesThePointer) {
  constexpr u64 kHandler = 0x2000;
  Real m(push_across_limit(), 0x8000);
  m.poke<u32>(12 * 4, kHandler);
  m.poke<u8>(kHandler, 0xf4);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.s().rip, kHandler + 1);
  EXPECT_EQ(m.reg(RSP), 0xfffcu);                                          // 2, less the frame of three words
  EXPECT_EQ(m.peek<u16>(0xfffc), kCode + push_across_limit().size() - 3);  // PUSH and HLT are the last three bytes
}

}  // namespace
}  // namespace mock::cpu
