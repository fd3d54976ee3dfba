#define MODE long64
#include "guests/guest.inc"
/* One instruction of a CPUID feature each, at the mark `fault`; and the control registers that some need first. */
  .macro set_cr4 bit
  mov %cr4, %rax
  or $1 << \bit, %rax
  mov %rax, %cr4
  .endm
  .macro set_xcr0 value
  xor %ecx, %ecx
  xor %edx, %edx
  mov $\value, %eax
  xsetbv
  .endm

GUEST(popcnt)
  mov $0xff, %ebx
MARK(fault)
  popcnt %ebx, %eax
  hlt
END_GUEST

GUEST(rdrand)
MARK(fault)
  rdrand %rax
  setc %bl
  hlt
END_GUEST

GUEST(rdtscp)
MARK(fault)
  rdtscp
  hlt
END_GUEST

GUEST(rdpid)
MARK(fault)
  rdpid %rax
  hlt
END_GUEST

GUEST(bmi2)
  mov $0xf0f0, %ecx
  mov $0xff, %ebx
MARK(fault)
  pdep %ecx, %ebx, %eax
  hlt
END_GUEST

GUEST(sha)
  xorps %xmm0, %xmm0
MARK(fault)
  sha1msg1 %xmm0, %xmm0
  hlt
END_GUEST

GUEST(avx)
  set_cr4 18
  set_xcr0 7
  mov $0x3f800000, %eax
  movd %eax, %xmm0
  vbroadcastss DATA, %ymm1
MARK(fault)
  vaddps %ymm1, %ymm1, %ymm2
  vextractf128 $1, %ymm2, %xmm3
  movd %xmm3, %eax
  hlt
END_GUEST

GUEST(avx_without_osxsave)
MARK(fault)
  vxorps %xmm0, %xmm0, %xmm0
  hlt
END_GUEST

GUEST(avx_not_in_xcr0)
  set_cr4 18
  set_xcr0 3
MARK(fault)
  vxorps %xmm0, %xmm0, %xmm0
  hlt
END_GUEST

GUEST(set_fsgsbase)
  mov %cr4, %rax
  or $1 << 16, %rax
MARK(fault)
  mov %rax, %cr4
  mov $0x123456789a, %rax
  wrfsbase %rax
  rdfsbase %rbx
  hlt
END_GUEST

GUEST(rdfsbase_not_enabled)
MARK(fault)
  rdfsbase %rax
  hlt
END_GUEST

GUEST(set_osxsave)
  mov %cr4, %rax
  or $1 << 18, %rax
MARK(fault)
  mov %rax, %cr4
  mov $1, %eax
  cpuid
  hlt
END_GUEST

/* EDX:EAX from the row. */
GUEST(xsetbv)
  mov %rax, %rbx
  set_cr4 18
  mov %rbx, %rax
  xor %ecx, %ecx
  xor %edx, %edx
MARK(fault)
  xsetbv
  xgetbv
  mov %rax, %rsi
  mov $0xd, %eax
  xor %ecx, %ecx
  cpuid
  hlt
END_GUEST

GUEST(xgetbv_not_enabled)
  xor %ecx, %ecx
MARK(fault)
  xgetbv
  hlt
END_GUEST

/* Index from the row. */
GUEST(xgetbv)
  mov %rcx, %rbx
  set_cr4 18
  set_xcr0 7
  mov %rbx, %rcx
MARK(fault)
  xgetbv
  hlt
END_GUEST

GUEST(set_pke)
  mov %cr4, %rax
  or $1 << 22, %rax
MARK(fault)
  mov %rax, %cr4
  xor %ecx, %ecx
  xor %edx, %edx
  mov $0x55555554, %eax
  wrpkru
  xor %eax, %eax
  rdpkru
  hlt
END_GUEST

GUEST(rdpkru_not_enabled)
  xor %ecx, %ecx
MARK(fault)
  rdpkru
  hlt
END_GUEST
