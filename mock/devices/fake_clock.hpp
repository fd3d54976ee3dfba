// A clock that stands still until a test moves it.
#pragma once

#include "mock/devices/clock.hpp"

namespace mock::devices {

struct FakeClock : Clock {
  s64 now_ns() override { return ns; }
  u64 tsc() override { return static_cast<u64>(ns) * 2; }
  u64 tsc_khz() override { return 2'000'000; }
  s64 ns = 1'000'000;
};

}  // namespace mock::devices
