#include "mock/bench/kernels.hpp"

#include <array>
#include <cstring>
#include <random>

// The bytes of a kernel, executable in place.
#define KERNEL(name, text)                                                                                  \
  asm(".pushsection .text\n.p2align 6\nkernel_" #name ":\n" text "\nkernel_" #name "_end:\n.popsection\n"); \
  extern "C" const char kernel_##name[] __attribute__((visibility("hidden")));                              \
  extern "C" const char kernel_##name##_end[] __attribute__((visibility("hidden")));

KERNEL(
    int_loop,
    "mov $1, %eax; mov $3, %ecx; mov $5, %edx; mov $7, %r8d;"
    "1: add %rcx, %rax; xor %rdx, %rcx; lea 3(%rax,%rcx,2), %rdx; shl $3, %r8; sub %rax, %r8; or $1, %r8; shr $2, %rdx;"
    "add %r8, %rdx; dec %rsi; jnz 1b; ret")
KERNEL(tight, "xor %eax, %eax; 1: add $3, %rax; dec %rsi; jnz 1b; ret")
KERNEL(copy,
       "lea 0x100000(%rdi), %r8; 2: xor %ecx, %ecx;"
       "1: mov (%rdi,%rcx), %rax; add $1, %rax; mov %rax, (%r8,%rcx); add $8, %rcx; cmp $0x8000, %rcx; jb 1b;"
       "dec %rsi; jnz 2b; ret")
KERNEL(
    call,
    "mov %esi, %edi; jmp fib_; fib_: cmp $2, %edi; jae 1f; mov %edi, %eax; ret;"
    "1: push %rbx; mov %edi, %ebx; lea -1(%rdi), %edi; call fib_; push %rax; lea -2(%rbx), %edi; call fib_; pop %rdx;"
    "add %rdx, %rax; pop %rbx; ret")
KERNEL(chase, "mov %rdi, %rax; 1: mov (%rax), %rax; dec %rsi; jnz 1b; ret")
KERNEL(sieve,
       "4: xor %eax, %eax; mov %rdi, %r8; mov $0x8000, %ecx; 1: movb $1, (%r8); inc %r8; dec %ecx; jnz 1b;"
       "mov $2, %ecx; 2: cmpb $0, (%rdi,%rcx); je 3f; inc %eax; lea (%rcx,%rcx), %edx; cmp $0x8000, %edx; jae 3f;"
       "5: movb $0, (%rdi,%rdx); add %ecx, %edx; cmp $0x8000, %edx; jb 5b; 3: inc %ecx; cmp $0x8000, %ecx; jb 2b;"
       "dec %rsi; jnz 4b; ret")
KERNEL(crc,
       "mov $-1, %eax; lea 0x1000(%rdi), %r8; 2: xor %ecx, %ecx;"
       "1: movzbl (%r8,%rcx), %edx; xor %al, %dl; movzbl %dl, %edx; shr $8, %eax; xor (%rdi,%rdx,4), %eax; inc %rcx;"
       "cmp $0x1000, %rcx; jne 1b; dec %rsi; jnz 2b; ret")
KERNEL(
    sha,
    "push %rbx; mov $0x6a09e667, %eax; mov $0xbb67ae85, %ebx; mov $0x3c6ef372, %ecx; mov $0xa54ff53a, %edx;"
    "1: mov %eax, %r8d; ror $6, %r8d; mov %eax, %r9d; ror $11, %r9d; xor %r9d, %r8d; mov %ebx, %r10d; and %eax, %r10d;"
    "mov %eax, %r11d; not %r11d; and %ecx, %r11d; xor %r11d, %r10d; add %r8d, %r10d; add %edx, %r10d; add $0x428a2f98, "
    "%r10d;"
    "mov %ecx, %edx; mov %ebx, %ecx; mov %eax, %ebx; rol $13, %r10d; add %r10d, %eax; dec %rsi; jnz 1b; pop %rbx; ret")
KERNEL(sse2,
       "mov $1, %eax; movd %eax, %xmm0; pshufd $0, %xmm0, %xmm0; cvtdq2ps %xmm0, %xmm1; movaps %xmm1, %xmm2; pxor "
       "%xmm3, %xmm3; "
       "pxor %xmm5, %xmm5;"
       "1: paddd %xmm0, %xmm3; mulps %xmm1, %xmm2; addps %xmm1, %xmm2; movdqu %xmm3, (%rdi); pslld $1, %xmm0; pxor "
       "%xmm3, %xmm0;"
       "movups (%rdi), %xmm4; addps %xmm2, %xmm5; psrld $2, %xmm4; paddd %xmm4, %xmm0; minps %xmm1, %xmm2; dec %rsi; "
       "jnz 1b;"
       "movq %xmm3, %rax; ret")
KERNEL(movs,
       "mov %rsi, %rax; mov %rdi, %r8; 1: mov %r8, %rsi; lea 0x100000(%r8), %rdi; mov $0x10000, %ecx; rep movsb;"
       "dec %rax; jnz 1b; ret")

namespace bench {

namespace {

void nothing(std::uint8_t*, std::uint64_t) {}

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

std::string_view code(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

}  // namespace

std::span<const Kernel> kernels() {
  static const std::vector<std::uint8_t> big = big_program();
#define ROW(label, name, iterations, prepare) \
  Kernel { label, code(kernel_##name, kernel_##name##_end), iterations, prepare }
  static const Kernel all[] = {
      ROW("int", int_loop, 1000000, nothing),
      ROW("tight", tight, 4000000, nothing),
      ROW("copy", copy, 400, nothing),
      ROW("call", call, 24, nothing),
      ROW("chase", chase, 300000, prepare_chase),
      ROW("sieve", sieve, 30, nothing),
      ROW("crc", crc, 300, prepare_crc),
      ROW("sha", sha, 500000, nothing),
      ROW("sse2", sse2, 500000, nothing),
      {"big", {reinterpret_cast<const char*>(big.data()), big.size()}, 2000, nothing, false},
      {"movs", code(kernel_movs, kernel_movs_end), 2000, nothing, true},
  };
#undef ROW
  return all;
}

}  // namespace bench
