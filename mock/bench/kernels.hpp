// Loops that run natively and on the mock CPU from the same bytes. A kernel is a position-independent function of the
// System V ABI: rdi = a data area of kDataBytes, rsi = iterations; result in rax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace bench {

inline constexpr std::size_t kDataBytes = 8 << 20;

struct Kernel {
  const char* name;
  std::string_view code;
  std::uint64_t iterations;                                 // a few milliseconds natively
  void (*prepare)(std::uint8_t* data, std::uint64_t base);  // base: the address the kernel will see the data at
  bool counts_bytes = false;  // throughput in bytes, not instructions: iterations * kMovsBytes
};

inline constexpr std::size_t kMovsBytes = 64 << 10;

std::span<const Kernel> kernels();

// A large branchy program: about 4,000 instructions in 800 blocks with calls and data-dependent branches.
std::vector<std::uint8_t> big_program();

}  // namespace bench
