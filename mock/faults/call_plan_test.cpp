#include "mock/faults/call_plan.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace mock {
namespace {

using namespace kvmapi;

struct AlwaysSeven : Backend {
  Result<int> open(const char*, int) override { return 3; }
  Result<int> ioctl(int, u32, u64) override { return 7; }
  Result<void*> mmap(void*, std::size_t, int, int, int, off_t) override { return err(ENODEV); }
  Result<void> munmap(void*, std::size_t) override { return {}; }
  Result<void> close(int) override { return {}; }
  std::string name() const override { return "seven"; }
};

TEST(PlannedBackend, fails_the_planned_calls_only) {
  PlannedBackend backend(std::make_unique<AlwaysSeven>());
  backend.fail(0xae41, 2, 1, Errno{ENOMEM});
  EXPECT_EQ(*backend.ioctl(3, 0xae41, 0), 7);
  EXPECT_EQ(*backend.ioctl(3, 0xae41, 0), 7);
  EXPECT_EQ(*backend.ioctl(3, 0xae01, 0), 7);
  EXPECT_EQ(backend.ioctl(3, 0xae41, 0).error(), Errno{ENOMEM});
  EXPECT_EQ(*backend.ioctl(3, 0xae41, 0), 7);
}

TEST(PlannedBackend, counts_calls_by_request) {
  PlannedBackend backend(std::make_unique<AlwaysSeven>());
  backend.fail(0xae41, 0, 1, Errno{EINTR});
  EXPECT_FALSE(backend.ioctl(3, 0xae41, 0).ok());
  EXPECT_TRUE(backend.ioctl(3, 0xae41, 0).ok());
  EXPECT_TRUE(backend.ioctl(3, 0xae01, 0).ok());
  EXPECT_EQ(backend.calls(0xae41), 2u);
  EXPECT_EQ(backend.calls(0xae80), 0u);
  EXPECT_EQ(backend.calls(), 3u);
}

TEST(PlannedBackend, forgets_its_plans) {
  PlannedBackend backend(std::make_unique<AlwaysSeven>());
  backend.fail(0xae41, 0, 100, Errno{EINTR});
  backend.fail_nothing();
  EXPECT_TRUE(backend.ioctl(3, 0xae41, 0).ok());
}

}  // namespace
}  // namespace mock
