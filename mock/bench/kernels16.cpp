// The first eight kernels in real mode; see kernels.hpp.
#include <array>
#include <cstring>
#include <random>

#include "mock/bench/kernels.hpp"

KERNEL(int16, ".code16",
       "xor %eax, %eax; inc %ax; mov $3, %cx; mov $5, %dx; mov $7, %bx;"
       "1: add %cx, %ax; xor %dx, %cx; mov %ax, %dx; shl $3, %bx; sub %ax, %bx; or $1, %bx; shr $2, %dx; add %bx, %dx;"
       "dec %esi; jnz 1b; ret")
KERNEL(tight16, ".code16", "xor %eax, %eax; 1: add $3, %ax; dec %esi; jnz 1b; ret")
KERNEL(copy16, ".code16",
       "xor %eax, %eax; 2: xor %bx, %bx;"
       "1: mov (%bx,%di), %ax; add $1, %ax; mov %ax, 0x4000(%bx,%di); add $2, %bx; cmp $0x4000, %bx; jb 1b;"
       "dec %esi; jnz 2b; ret")
KERNEL(movs16, ".code16",
       "mov %esi, %eax; mov %di, %bx;"
       "1: mov %bx, %si; lea 0x4000(%bx), %di; mov $0x4000, %cx; rep movsb; dec %eax; jnz 1b; ret")
KERNEL(chase16, ".code16", "xor %eax, %eax; mov %di, %bx; 1: mov (%bx), %bx; dec %esi; jnz 1b; mov %bx, %ax; ret")
KERNEL(call16, ".code16",
       "xor %eax, %eax; mov %si, %di; jmp fib16_; fib16_: cmp $2, %di; jae 1f; mov %di, %ax; ret;"
       "1: push %bx; mov %di, %bx; lea -1(%di), %di; call fib16_; push %ax; lea -2(%bx), %di; call fib16_; pop %dx;"
       "add %dx, %ax; pop %bx; ret")
KERNEL(sieve16, ".code16",
       "4: xor %eax, %eax; mov %di, %bx; mov $0x4000, %cx; 1: movb $1, (%bx); inc %bx; dec %cx; jnz 1b;"
       "mov $2, %bx; 2: cmpb $0, (%bx,%di); je 3f; inc %ax; mov %bx, %bp; add %bx, %bp; cmp $0x4000, %bp; jae 3f;"
       "5: movb $0, (%bp,%di); add %bx, %bp; cmp $0x4000, %bp; jb 5b; 3: inc %bx; cmp $0x4000, %bx; jb 2b;"
       "dec %esi; jnz 4b; ret")

namespace bench {

namespace {

// A random cycle through 512 lines.
void prepare_chase(std::uint8_t* data, std::uint64_t base) {
  std::array<std::uint16_t, 512> order;
  for (std::uint16_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 random(1);
  for (std::size_t i = order.size() - 1; i > 1; --i) std::swap(order[i], order[1 + random() % i]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto next = static_cast<std::uint16_t>(base + order[(i + 1) % order.size()] * 64u);
    std::memcpy(data + order[i] * 64u, &next, sizeof next);
  }
}

}  // namespace

std::span<const Kernel> kernels16() {
  static const std::vector<std::uint8_t> big = big_program(16);
  static const Kernel all[] = {
      {.name = "int", .bits = 16, .code = KERNEL_CODE(int16), .iterations = 1000000, .prepare = nothing},
      {.name = "tight", .bits = 16, .code = KERNEL_CODE(tight16), .iterations = 4000000, .prepare = nothing},
      {.name = "big",
       .bits = 16,
       .code = {reinterpret_cast<const char*>(big.data()), big.size()},
       .iterations = 2000,
       .prepare = nothing},
      {.name = "copy", .bits = 16, .code = KERNEL_CODE(copy16), .iterations = 400, .prepare = nothing},
      {.name = "movs", .bits = 16, .code = KERNEL_CODE(movs16), .iterations = 200, .prepare = nothing, .bytes = 0x4000},
      {.name = "chase", .bits = 16, .code = KERNEL_CODE(chase16), .iterations = 1000000, .prepare = prepare_chase},
      {.name = "call", .bits = 16, .code = KERNEL_CODE(call16), .iterations = 22, .prepare = nothing},
      {.name = "sieve", .bits = 16, .code = KERNEL_CODE(sieve16), .iterations = 60, .prepare = nothing},
  };
  return all;
}

}  // namespace bench
