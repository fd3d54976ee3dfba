#include "mock/vm/biased_mutex.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace mock::vm {
namespace {

class Biased : public testing::Test {
 protected:
  void SetUp() override { prepare_asymmetric_fence(); }
  // Once from a thread of its own, so that the caller's thread loses the ownership.
  void lock_elsewhere() {
    std::thread([this] { EXPECT_TRUE(BiasedMutex::Lock(mutex_)); }).join();
  }
  BiasedMutex mutex_;
};

TEST_F(Biased, no_increment_is_lost_whoever_owns_it) {
  constexpr int kRounds = 500;
  u64 counter = 0;
  // Bursts of different lengths: some earn the ownership, some do not.
  const auto work = [&](int burst) {
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < burst; ++i) {
        const BiasedMutex::Lock lock(mutex_);
        ++counter;
      }
      if (round % 16 == 0) std::this_thread::yield();
    }
  };
  std::vector<std::thread> threads;
  for (const int burst : {1, 9, 20}) threads.emplace_back(work, burst);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, u64{kRounds} * 30);
}

TEST_F(Biased, a_second_thread_waits_until_the_owner_lets_go) {
  std::atomic<bool> is_through{false};
  std::thread other;
  {
    const BiasedMutex::Lock lock(mutex_);
    other = std::thread([&] {
      const BiasedMutex::Lock theirs(mutex_);
      is_through = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(is_through);
  }
  other.join();
  EXPECT_TRUE(is_through);
}

TEST_F(Biased, the_thread_that_holds_it_is_refused) {
  const BiasedMutex::Lock owner(mutex_);
  EXPECT_TRUE(owner);
  EXPECT_FALSE(BiasedMutex::Lock(mutex_));
}

TEST_F(Biased, the_thread_that_holds_it_is_refused_without_ownership_too) {
  { const BiasedMutex::Lock first(mutex_); }
  lock_elsewhere();
  const BiasedMutex::Lock second(mutex_);
  EXPECT_TRUE(second);
  EXPECT_FALSE(BiasedMutex::Lock(mutex_));
}

TEST_F(Biased, ownership_comes_back_to_the_thread_that_uses_it_most) {
  for (int change = 0; change < 3; ++change) {
    for (int i = 0; i < 20; ++i) {
      const BiasedMutex::Lock lock(mutex_);
      EXPECT_TRUE(lock);
    }
    lock_elsewhere();
  }
}

TEST_F(Biased, the_record_of_a_thread_that_ended_serves_the_next_one) {
  for (int i = 0; i < 100; ++i) lock_elsewhere();
  EXPECT_TRUE(BiasedMutex::Lock(mutex_));
}

TEST(ThreadRecord, a_use_is_seen_while_it_lasts) {
  prepare_asymmetric_fence();
  int object = 0;
  ThreadRecord& mine = ThreadRecord::mine();
  ASSERT_TRUE(mine.begin_use(&object));
  EXPECT_TRUE(ThreadRecord::is_used(&object));
  std::thread([&] { EXPECT_TRUE(ThreadRecord::is_used(&object)); }).join();
  mine.end_use();
  EXPECT_FALSE(ThreadRecord::is_used(&object));
}

TEST(ThreadRecord, too_many_uses_one_in_another_are_refused) {
  ThreadRecord& mine = ThreadRecord::mine();
  std::vector<int> objects(1000);
  std::size_t begun = 0;
  while (begun < objects.size() && mine.begin_use(&objects[begun])) ++begun;
  EXPECT_LT(begun, objects.size());
  EXPECT_GE(begun, 16u);
  for (std::size_t i = 0; i < begun; ++i) mine.end_use();
  EXPECT_FALSE(ThreadRecord::is_used(&objects[0]));
}

}  // namespace
}  // namespace mock::vm
