#define MODE long64
#include "guests/guest.inc"
/* XSAVE and XRSTOR on the area at DATA, or where RDI says. EDX:EAX of the instruction under test is RBX, XCR0 is 7. */
  .macro enable_xsave
  mov %cr4, %rax
  or $1 << 18, %rax
  mov %rax, %cr4
  xor %ecx, %ecx
  xor %edx, %edx
  mov $7, %eax
  xsetbv
  mov %rbx, %rax
  .endm
  .macro fill_registers
  fninit
  fld1
  mov $0x11111111, %eax
  movd %eax, %xmm0
  shufps $0, %xmm0, %xmm0
  vinsertf128 $1, %xmm0, %ymm0, %ymm0
  vmovaps %ymm0, %ymm15
  movl $0x1fa0, SPARE
  ldmxcsr SPARE
  mov %rbx, %rax
  .endm

GUEST(xsave_not_enabled)
MARK(fault)
  xsave DATA
  hlt
END_GUEST

GUEST(xsave)
  enable_xsave
  fill_registers
MARK(fault)
  xsave (%rdi)
  hlt
END_GUEST

GUEST(xsave64)
  enable_xsave
  fill_registers
MARK(fault)
  xsave64 (%rdi)
  hlt
END_GUEST

GUEST(xsaveopt)
  enable_xsave
  fill_registers
MARK(fault)
  xsaveopt (%rdi)
  hlt
END_GUEST

/* What XRSTOR leaves in the registers, as XSAVE writes it to SPARE + 0x1000. */
GUEST(xrstor)
  enable_xsave
  fill_registers
MARK(fault)
  xrstor (%rdi)
  mov $7, %eax
  xor %edx, %edx
  xsave SPARE + 0x1000
  hlt
END_GUEST
