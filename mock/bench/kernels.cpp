#include "mock/bench/kernels.hpp"

#include <array>
#include <cstring>
#include <random>

KERNEL(
    int_loop, ".code64",
    "mov $1, %eax; mov $3, %ecx; mov $5, %edx; mov $7, %r8d;"
    "1: add %rcx, %rax; xor %rdx, %rcx; lea 3(%rax,%rcx,2), %rdx; shl $3, %r8; sub %rax, %r8; or $1, %r8; shr $2, %rdx;"
    "add %r8, %rdx; dec %rsi; jnz 1b; ret")
KERNEL(tight, ".code64", "xor %eax, %eax; 1: add $3, %rax; dec %rsi; jnz 1b; ret")
// Distances between source and destination do not make them meet in the direct-mapped translation caches of emulators.
KERNEL(copy, ".code64",
       "lea 0x123000(%rdi), %r8; 2: xor %ecx, %ecx;"
       "1: mov (%rdi,%rcx), %rax; add $1, %rax; mov %rax, (%r8,%rcx); add $8, %rcx; cmp $0x8000, %rcx; jb 1b;"
       "dec %rsi; jnz 2b; ret")
KERNEL(
    call, ".code64",
    "mov %esi, %edi; jmp fib_; fib_: cmp $2, %edi; jae 1f; mov %edi, %eax; ret;"
    "1: push %rbx; mov %edi, %ebx; lea -1(%rdi), %edi; call fib_; push %rax; lea -2(%rbx), %edi; call fib_; pop %rdx;"
    "add %rdx, %rax; pop %rbx; ret")
KERNEL(chase, ".code64", "mov %rdi, %rax; 1: mov (%rax), %rax; dec %rsi; jnz 1b; ret")
KERNEL(sieve, ".code64",
       "4: xor %eax, %eax; mov %rdi, %r8; mov $0x8000, %ecx; 1: movb $1, (%r8); inc %r8; dec %ecx; jnz 1b;"
       "mov $2, %ecx; 2: cmpb $0, (%rdi,%rcx); je 3f; inc %eax; lea (%rcx,%rcx), %edx; cmp $0x8000, %edx; jae 3f;"
       "5: movb $0, (%rdi,%rdx); add %ecx, %edx; cmp $0x8000, %edx; jb 5b; 3: inc %ecx; cmp $0x8000, %ecx; jb 2b;"
       "dec %rsi; jnz 4b; ret")
KERNEL(crc, ".code64",
       "mov $-1, %eax; lea 0x1000(%rdi), %r8; 2: xor %ecx, %ecx;"
       "1: movzbl (%r8,%rcx), %edx; xor %al, %dl; movzbl %dl, %edx; shr $8, %eax; xor (%rdi,%rdx,4), %eax; inc %rcx;"
       "cmp $0x1000, %rcx; jne 1b; dec %rsi; jnz 2b; ret")
KERNEL(
    sha, ".code64",
    "push %rbx; mov $0x6a09e667, %eax; mov $0xbb67ae85, %ebx; mov $0x3c6ef372, %ecx; mov $0xa54ff53a, %edx;"
    "1: mov %eax, %r8d; ror $6, %r8d; mov %eax, %r9d; ror $11, %r9d; xor %r9d, %r8d; mov %ebx, %r10d; and %eax, %r10d;"
    "mov %eax, %r11d; not %r11d; and %ecx, %r11d; xor %r11d, %r10d; add %r8d, %r10d; add %edx, %r10d; add $0x428a2f98, "
    "%r10d;"
    "mov %ecx, %edx; mov %ebx, %ecx; mov %eax, %ebx; rol $13, %r10d; add %r10d, %eax; dec %rsi; jnz 1b; pop %rbx; ret")
KERNEL(sse2, ".code64",
       "mov $1, %eax; movd %eax, %xmm0; pshufd $0, %xmm0, %xmm0; cvtdq2ps %xmm0, %xmm1; movaps %xmm1, %xmm2; pxor "
       "%xmm3, %xmm3; "
       "pxor %xmm5, %xmm5;"
       "1: paddd %xmm0, %xmm3; mulps %xmm1, %xmm2; addps %xmm1, %xmm2; movdqu %xmm3, (%rdi); pslld $1, %xmm0; pxor "
       "%xmm3, %xmm0;"
       "movups (%rdi), %xmm4; addps %xmm2, %xmm5; psrld $2, %xmm4; paddd %xmm4, %xmm0; minps %xmm1, %xmm2; dec %rsi; "
       "jnz 1b;"
       "movq %xmm3, %rax; ret")
KERNEL(movs, ".code64",
       "mov %rsi, %rax; mov %rdi, %r8; 1: mov %r8, %rsi; lea 0x123000(%r8), %rdi; mov $0x10000, %ecx; rep movsb;"
       "dec %rax; jnz 1b; ret")

KERNEL(stos, ".code64",
       "mov %rsi, %rdx; mov %rdi, %r8; xor %eax, %eax;"
       "1: mov %r8, %rdi; inc %eax; mov $0x10000, %ecx; rep stosb; dec %rdx; jnz 1b; ret")

namespace bench {

namespace {

// A random cycle through 1,024 pages.
void prepare_chase(std::uint8_t* data, std::uint64_t base) {
  std::array<std::uint32_t, 1024> order;
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937 random(1);
  for (std::size_t i = order.size() - 1; i > 1; --i) std::swap(order[i], order[1 + random() % i]);
  for (std::size_t i = 0; i < order.size(); ++i) {
    // A different line in each page, so that the native run is not one cache set.
    const auto place = [&](std::size_t k) { return order[k] * std::uint64_t{4096} + order[k] * 64 % 4096; };
    const std::uint64_t next = base + place((i + 1) % order.size());
    std::memcpy(data + place(i), &next, 8);
  }
}

void prepare_crc(std::uint8_t* data, std::uint64_t) {
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    std::memcpy(data + i * 4, &c, 4);
  }
  for (std::uint32_t i = 0; i < 4096; ++i) data[0x1000 + i] = static_cast<std::uint8_t>(i * 7 + 3);
}

}  // namespace

std::span<const Kernel> kernels64() {
  static const std::vector<std::uint8_t> big = big_program(64);
  constexpr std::size_t kRepBytes = 0x10000;
  static const Kernel all[] = {
      {.name = "int",
       .bits = 64,
       .code = KERNEL_CODE(int_loop),
       .iterations = 1000000,
       .prepare = nothing,
       .is_integer = true},
      {.name = "tight",
       .bits = 64,
       .code = KERNEL_CODE(tight),
       .iterations = 4000000,
       .prepare = nothing,
       .is_integer = true},
      {.name = "copy",
       .bits = 64,
       .code = KERNEL_CODE(copy),
       .iterations = 400,
       .prepare = nothing,
       .is_integer = true},
      {.name = "call", .bits = 64, .code = KERNEL_CODE(call), .iterations = 24, .prepare = nothing, .is_integer = true},
      {.name = "chase",
       .bits = 64,
       .code = KERNEL_CODE(chase),
       .iterations = 300000,
       .prepare = prepare_chase,
       .is_integer = true,
       .gives_address = true},
      {.name = "sieve",
       .bits = 64,
       .code = KERNEL_CODE(sieve),
       .iterations = 30,
       .prepare = nothing,
       .is_integer = true},
      {.name = "crc",
       .bits = 64,
       .code = KERNEL_CODE(crc),
       .iterations = 300,
       .prepare = prepare_crc,
       .is_integer = true},
      {.name = "sha",
       .bits = 64,
       .code = KERNEL_CODE(sha),
       .iterations = 500000,
       .prepare = nothing,
       .is_integer = true},
      {.name = "sse2", .bits = 64, .code = KERNEL_CODE(sse2), .iterations = 500000, .prepare = nothing},
      {.name = "big",
       .bits = 64,
       .code = {reinterpret_cast<const char*>(big.data()), big.size()},
       .iterations = 2000,
       .prepare = nothing},
      {.name = "movs",
       .bits = 64,
       .code = KERNEL_CODE(movs),
       .iterations = 100,
       .prepare = nothing,
       .bytes = kRepBytes},
      {.name = "stos",
       .bits = 64,
       .code = KERNEL_CODE(stos),
       .iterations = 100,
       .prepare = nothing,
       .bytes = kRepBytes},
  };
  return all;
}

}  // namespace bench
