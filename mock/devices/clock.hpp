// Where devices get the time from. The owner decides whether it is the host's clock or a virtual one that advances with
// retired instructions.
#pragma once

#include "kvmapi/types.hpp"

namespace mock::devices {

using namespace kvmapi;  // u8 ... s64

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic, nanoseconds.
  virtual s64 now_ns() = 0;
  // The guest's time stamp counter, and its rate.
  virtual u64 tsc() = 0;
  virtual u64 tsc_khz() = 0;
};

inline constexpr s64 kNever = INT64_MAX;

// value * numerator / denominator without overflow of the product.
constexpr u64 mul_div(u64 value, u64 numerator, u64 denominator) {
  return static_cast<u64>(static_cast<unsigned __int128>(value) * numerator / denominator);
}

}  // namespace mock::devices
