// Hardware task switches: CALL, JMP, IRET and task gates between two 32-bit tasks.
#include "mock/cpu/task.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/exceptions.hpp"
#include "mock/cpu/far.hpp"
#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kNewTss = 0x3800;

// A second task at kFree: EIP 7000, ESP a000, flat ring-0 segments.
struct TwoTasks : Protected32 {
  TwoTasks() {
    descriptor(kFree, pack_descriptor(kNewTss, 0x67, 0x89));
    bus.poke<u32>(kNewTss + 32, 0x7000);
    bus.poke<u32>(kNewTss + 36, 2);
    bus.poke<u32>(kNewTss + 40 + RBX * 4, 0xbbbb);
    bus.poke<u32>(kNewTss + 40 + RSP * 4, 0xa000);
    constexpr u16 kSelectors[] = {kData0, kCode0, kData0, kData0, 0, 0};
    for (unsigned i = 0; i < 6; ++i) bus.poke<u32>(kNewTss + 72 + i * 4, kSelectors[i]);
    core.s.gpr[RBX] = 0x1234;
    core.set_rflags(CF | IF | kFlagsFixedOne);
  }
  u8 type_of(u16 selector) const { return bus.peek<u8>(kGdt + selector + 5) & 0xf; }
};

TEST(TaskSwitch, call_saves_the_old_task_and_nests) {
  TwoTasks m;
  ASSERT_TRUE(far_call(m.core, kFree, 0, 4));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.core.s.gpr[RSP], 0xa000u);
  EXPECT_EQ(m.core.s.gpr[RBX], 0xbbbbu);
  EXPECT_EQ(m.core.s.tr.selector, kFree);
  EXPECT_EQ(m.core.rflags(), NT | 2u);
  EXPECT_TRUE(m.core.s.cr0 & CR0_TS);
  EXPECT_EQ(m.bus.peek<u32>(kTss + 32), 0x5000u) << "saved EIP";
  EXPECT_EQ(m.bus.peek<u32>(kTss + 36), CF | IF | 2u);
  EXPECT_EQ(m.bus.peek<u32>(kTss + 40 + RBX * 4), 0x1234u);
  EXPECT_EQ(m.bus.peek<u32>(kTss + 76), kCode0);
  EXPECT_EQ(m.bus.peek<u16>(kNewTss), kTssSelector) << "back link";
  EXPECT_EQ(m.type_of(kFree), kTss32Busy);
  EXPECT_EQ(m.type_of(kTssSelector), kTss32Busy) << "the caller stays busy";
}

TEST(TaskSwitch, iret_returns_to_the_caller) {
  TwoTasks m;
  ASSERT_TRUE(far_call(m.core, kFree, 0, 4));
  m.core.s.rip = 0x7010;
  ASSERT_TRUE(interrupt_return(m.core, 4));
  EXPECT_EQ(m.core.s.rip, 0x5000u);
  EXPECT_EQ(m.core.s.gpr[RBX], 0x1234u);
  EXPECT_EQ(m.core.rflags(), CF | IF | 2u);
  EXPECT_EQ(m.type_of(kFree), kTss32Available);
  EXPECT_EQ(m.bus.peek<u32>(kNewTss + 32), 0x7010u);
  EXPECT_EQ(m.bus.peek<u32>(kNewTss + 36) & NT, 0u) << "NT is cleared in the saved flags";
}

TEST(TaskSwitch, jump_does_not_nest_and_frees_the_old_task) {
  TwoTasks m;
  ASSERT_TRUE(far_jump(m.core, kFree, 0, 4));
  EXPECT_EQ(m.core.rflags(), 2u);
  EXPECT_EQ(m.type_of(kTssSelector), kTss32Available);
}

TEST(TaskSwitch, an_exception_through_a_task_gate_pushes_its_error_code_on_the_new_stack) {
  TwoTasks m;
  m.gate(DF_, 0, kTaskGate, kFree);
  ASSERT_TRUE(deliver(m.core, {.kind = Event::Kind::exception, .vector = DF_, .has_error_code = true}));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.core.s.gpr[RSP], 0x9ffcu);
  EXPECT_EQ(m.stack<u32>(0), 0u);
}

struct Refusal {
  const char* name;
  u64 raw;
  int vector;
};

TEST(TaskSwitch, refusals_leave_everything_as_it_was) {
  const Refusal kCases[] = {
      {"busy", pack_descriptor(kNewTss, 0x67, 0x8b), GP},
      {"not_present", pack_descriptor(kNewTss, 0x67, 0x09), NP},
      {"too_short", pack_descriptor(kNewTss, 0x66, 0x89), TS},
  };
  for (const Refusal& c : kCases) {
    TwoTasks m;
    m.descriptor(kFree, c.raw);
    EXPECT_FALSE(far_call(m.core, kFree, 0, 4)) << c.name;
    EXPECT_EQ(m.fault(), c.vector) << c.name;
    EXPECT_EQ(m.error(), kFree) << c.name;
    EXPECT_EQ(m.core.s.rip, 0x5000u) << c.name;
    EXPECT_EQ(m.core.s.tr.selector, kTssSelector) << c.name;
    EXPECT_EQ(m.bus.peek<u32>(kTss + 32), 0u) << c.name;
  }
}

TEST(TaskSwitch, a_bad_segment_of_the_new_task_is_its_own_fault) {
  TwoTasks m;
  m.gate(TS, 0x7700);
  m.bus.poke<u32>(kNewTss + 84, kTssSelector);  // DS: not a data segment
  ASSERT_TRUE(far_jump(m.core, kFree, 0, 4));
  EXPECT_EQ(m.core.s.tr.selector, kFree);
  EXPECT_EQ(m.core.s.rip, 0x7700u);
  EXPECT_EQ(m.stack<u32>(0), kTssSelector);
  EXPECT_EQ(m.stack<u32>(1), 0x7000u) << "before the new task's first instruction";
}

}  // namespace
}  // namespace mock::cpu
