#include "mock/vm/user_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

namespace mock::vm {
namespace {

class UserMemory : public testing::Test {
 protected:
  void SetUp() override {
    install_fault_guard();
    page_ = static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(page_, MAP_FAILED);
    ASSERT_EQ(mprotect(page_ + 4096, 4096, PROT_NONE), 0);
  }
  void TearDown() override { munmap(page_, 8192); }
  u64 at(std::size_t offset) const { return reinterpret_cast<u64>(page_ + offset); }
  char* page_ = nullptr;
};

TEST_F(UserMemory, copies_every_length_exactly) {
  for (std::size_t length = 0; length < 100; ++length) {
    std::vector<u8> source(length + 1), back(length + 1, 0xee);
    for (std::size_t i = 0; i < length; ++i) source[i] = static_cast<u8>(i * 7 + 1);
    ASSERT_TRUE(copy_to_user(at(4096 - length), source.data(), length));
    ASSERT_TRUE(copy_from_user(back.data(), at(4096 - length), length));
    source[length] = 0xee;
    EXPECT_EQ(back, source) << length;
  }
}

TEST_F(UserMemory, a_bad_pointer_is_reported) {
  u64 value = 0;
  EXPECT_FALSE(get_user(value, 0));
  EXPECT_FALSE(get_user(value, 1));
  EXPECT_FALSE(get_user(value, ~u64{0}));
  EXPECT_FALSE(get_user(value, 0x8000000000000000));
  EXPECT_FALSE(put_user(0, value));
  EXPECT_FALSE(get_user(value, at(4096)));
  EXPECT_FALSE(put_user(at(4096), value));
}

TEST_F(UserMemory, an_object_that_crosses_into_a_bad_page_is_reported) {
  u64 value = 0;
  EXPECT_FALSE(get_user(value, at(4092)));
  EXPECT_FALSE(put_user(at(4092), value));
  EXPECT_TRUE(get_user(value, at(4088)));
}

TEST_F(UserMemory, touching_tells_what_the_protection_allows_and_changes_nothing) {
  page_[5] = 'x';
  EXPECT_TRUE(is_writable(page_ + 5));
  EXPECT_EQ(page_[5], 'x');
  ASSERT_EQ(mprotect(page_, 4096, PROT_READ), 0);
  EXPECT_TRUE(is_readable(page_));
  EXPECT_FALSE(is_writable(page_));
  EXPECT_FALSE(is_readable(page_ + 4096));
  EXPECT_FALSE(is_writable(page_ + 4096));
}

}  // namespace
}  // namespace mock::vm
