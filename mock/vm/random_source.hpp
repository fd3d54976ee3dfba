// What RDRAND and RDSEED read: a sequence that a seed determines, so that runs repeat, or the host's entropy. Chosen by
// MockOptions::random or KVMMOCK_RANDOM: "host", or a seed; "" and "0" are the default sequence.
#pragma once

#include <sys/random.h>

#include <charconv>
#include <optional>
#include <string_view>

#include "mock/cpu/bus.hpp"

namespace mock::vm {

using namespace kvmapi;

struct RandomSource {
  bool is_host = false;
  u64 seed = 0;

  static constexpr const char* kValid = "\"host\" or a number as seed";
  static std::optional<RandomSource> parse(std::string_view text) {
    RandomSource source;
    if (text.empty()) return source;
    source.is_host = text == "host";
    if (source.is_host) return source;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), source.seed);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return source;
  }
};

// The numbers of one vcpu; each has a sequence of its own.
class RandomNumbers {
 public:
  RandomNumbers(const RandomSource& source, u32 vcpu)
      : is_host_(source.is_host), sequence_{source.seed ^ u64{vcpu} << 32} {}

  u64 next() {
    u64 value;
    if (is_host_ && ::getrandom(&value, sizeof value, 0) == sizeof value) return value;
    return sequence_.next();
  }

 private:
  bool is_host_;
  cpu::SplitMix64 sequence_;
};

}  // namespace mock::vm
