#include "mock/vm/memory_slots.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mock::vm {
namespace {

constexpr u64 kHost = 0x7f0000000000;

class Slots : public testing::Test {
 protected:
  int set(u32 slot, u64 gpa, u64 size, u32 flags = 0, u64 host = kHost) {
    return slots_.set({slot, flags, gpa, size, host}, {.max_slots = 32764}).error().value();
  }
  Slot* find(u64 gpa, u32 space = 0) { return slots_.space(space).find(gpa / kPageSize); }
  MemorySlots slots_;
};

TEST_F(Slots, a_page_is_found_in_its_slot_and_nowhere_else) {
  ASSERT_EQ(set(0, 0x1000, 0x3000), 0);
  ASSERT_EQ(set(7, 0x10000, 0x1000), 0);
  EXPECT_EQ(find(0x0fff), nullptr);
  EXPECT_EQ(find(0x1000)->id, 0u);
  EXPECT_EQ(find(0x3fff)->id, 0u);
  EXPECT_EQ(find(0x4000), nullptr);
  EXPECT_EQ(find(0x10000)->id, 7u);
  EXPECT_EQ(find(0x11000), nullptr);
  EXPECT_EQ(find(0x1000, 1), nullptr);
}

TEST_F(Slots, neighbours_may_touch_but_not_overlap) {
  ASSERT_EQ(set(0, 0x2000, 0x2000), 0);
  EXPECT_EQ(set(1, 0x4000, 0x1000), 0);
  EXPECT_EQ(set(2, 0x1000, 0x1000), 0);
  EXPECT_EQ(set(3, 0x3000, 0x1000), EEXIST);
  EXPECT_EQ(set(3, 0x0, 0x10000), EEXIST);
  EXPECT_EQ(set(1u << 16 | 3, 0x3000, 0x1000), 0) << "the other address space";
}

TEST_F(Slots, a_moved_slot_is_found_at_its_new_place) {
  ASSERT_EQ(set(0, 0x1000, 0x1000), 0);
  ASSERT_EQ(set(1, 0x5000, 0x1000), 0);
  ASSERT_EQ(set(0, 0x8000, 0x1000), 0);
  EXPECT_EQ(find(0x1000), nullptr);
  EXPECT_EQ(find(0x8000)->id, 0u);
  EXPECT_EQ(set(0, 0x5000, 0x1000), EEXIST);
}

TEST_F(Slots, size_host_address_and_readonly_are_fixed_for_the_life_of_a_slot) {
  ASSERT_EQ(set(0, 0, 0x2000), 0);
  EXPECT_EQ(set(0, 0, 0x3000), EINVAL);
  EXPECT_EQ(set(0, 0, 0x2000, 0, kHost + 0x1000), EINVAL);
  EXPECT_EQ(set(0, 0, 0x2000, kMemReadonly), EINVAL);
  EXPECT_EQ(set(0, 0, 0x2000, kMemLogDirtyPages), 0);
  EXPECT_EQ(set(0, 0, 0), 0);
  EXPECT_EQ(set(0, 0, 0), EINVAL) << "it is gone";
}

TEST_F(Slots, the_first_wrong_argument_decides) {
  EXPECT_EQ(set(0, 1, 0x1000, 0x80), EINVAL);
  EXPECT_EQ(set(0, 0, 0x1001), EINVAL);
  EXPECT_EQ(set(0, 0, 0x1000, 0, ~u64{0xfff}), EINVAL);
  EXPECT_EQ(set(2u << 16, 0, 0x1000), EINVAL);
  EXPECT_EQ(set(32764, 0, 0x1000), EINVAL);
  EXPECT_EQ(set(32763, 0, 0x1000), 0);
  EXPECT_EQ(set(1, ~u64{0xfff}, 0x2000), EINVAL);
}

TEST_F(Slots, a_dirty_page_is_marked_once) {
  ASSERT_EQ(set(0, 0x4000, 70 * kPageSize, kMemLogDirtyPages), 0);
  Slot* slot = find(0x4000);
  EXPECT_EQ(slot->dirty_words(), 2u);
  EXPECT_TRUE(slot->mark_dirty(4 + 65));
  EXPECT_FALSE(slot->mark_dirty(4 + 65));
  EXPECT_EQ(slot->dirty[0].load(), 0u);
  EXPECT_EQ(slot->dirty[1].load(), 2u);
}

TEST_F(Slots, many_slots_are_found) {
  for (u32 i = 0; i < 5000; ++i) ASSERT_EQ(set(i, (5000 - i) * 0x2000ull, 0x1000), 0);
  for (u32 i = 0; i < 5000; ++i) ASSERT_EQ(find((5000 - i) * 0x2000ull)->id, i);
  EXPECT_EQ(find(0x3000), nullptr);
}

}  // namespace
}  // namespace mock::vm
