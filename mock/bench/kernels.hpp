// Loops that run on every engine from the same bytes. A 64-bit kernel is a position-independent function of the System
// V ABI: rdi = a data area of kDataBytes, rsi = iterations; result in rax. A 16-bit kernel runs in real mode: di =
// offset of the data in a segment of its own (DS = ES = SS), esi = iterations, near return, result in eax.
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
  unsigned bits;  // 64 or 16
  std::string_view code;
  std::uint64_t iterations;                                 // a few milliseconds natively
  void (*prepare)(std::uint8_t* data, std::uint64_t base);  // base: the address the kernel will see the data at
  std::size_t bytes = 0;       // moved per iteration: its throughput is in bytes, not in instructions
  bool is_integer = false;     // one of those whose geometric mean is taken
  bool gives_address = false;  // the result is an address in the data
};

std::span<const Kernel> kernels64();
std::span<const Kernel> kernels16();

// A large branchy program: about 4,000 instructions in 800 blocks with calls and data-dependent branches.
std::vector<std::uint8_t> big_program(unsigned bits);

inline void nothing(std::uint8_t*, std::uint64_t) {}

}  // namespace bench

// The bytes of a kernel, executable in place. `mode`: ".code64" or ".code16".
#define KERNEL(name, mode, text)                                                             \
  asm(".pushsection .text\n.p2align 6\n" mode "\nkernel_" #name ":\n" text "\nkernel_" #name \
      "_end:\n.code64\n.popsection\n");                                                      \
  extern "C" const char kernel_##name[] __attribute__((visibility("hidden")));               \
  extern "C" const char kernel_##name##_end[] __attribute__((visibility("hidden")));
#define KERNEL_CODE(name) std::string_view(kernel_##name, static_cast<std::size_t>(kernel_##name##_end - kernel_##name))
