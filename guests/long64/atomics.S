/* CPUs that change one location with LOCKed instructions, or look whether accesses come in one piece. Every CPU of a counting guest runs
   the same code: RDI = the counter, RSI = the spin lock, RCX = rounds. R9 = where this CPU says that it has begun, R10 = where its neighbour
   does, which it waits for a little. */
#define MODE long64
#include "guests/guest.inc"

  .macro begin
  movl $1, (%r9)
  mov $1000000, %edx
0: cmpl $0, (%r10)
  jne 1f
  pause
  dec %edx
  jnz 0b
  .endm

  .macro again
  dec %rcx
  jnz 1b
  hlt
  .endm

GUEST(lock_inc_byte)
  begin
1: lock incb (%rdi)
  again
END_GUEST

GUEST(lock_inc_word)
  begin
1: lock incw (%rdi)
  again
END_GUEST

GUEST(lock_inc_dword)
  begin
1: lock incl (%rdi)
  again
END_GUEST

GUEST(lock_inc_qword)
  begin
1: lock incq (%rdi)
  again
END_GUEST

GUEST(lock_add_qword)
  begin
1: lock addq $1, (%rdi)
  again
END_GUEST

GUEST(lock_sub_qword)
  begin
1: lock subq $-1, (%rdi)
  again
END_GUEST

GUEST(lock_xadd_qword)
  begin
1: mov $1, %eax
  lock xaddq %rax, (%rdi)
  again
END_GUEST

GUEST(lock_cmpxchg_qword)
  begin
1: mov (%rdi), %rax
2: lea 1(%rax), %rdx
  lock cmpxchgq %rdx, (%rdi)
  jnz 2b
  again
END_GUEST

GUEST(lock_cmpxchg8b)
  mov %rcx, %r11
  begin
1: mov (%rdi), %eax
  mov 4(%rdi), %edx
2: mov %eax, %ebx
  mov %edx, %ecx
  add $1, %ebx
  adc $0, %ecx
  lock cmpxchg8b (%rdi)
  jnz 2b
  dec %r11
  jnz 1b
  hlt
END_GUEST

/* The upper half counts as well. */
GUEST(lock_cmpxchg16b)
  mov %rcx, %r11
  begin
1: mov (%rdi), %rax
  mov 8(%rdi), %rdx
2: lea 1(%rax), %rbx
  lea 1(%rdx), %rcx
  lock cmpxchg16b (%rdi)
  jnz 2b
  dec %r11
  jnz 1b
  hlt
END_GUEST

GUEST(xchg_spin_lock)
  begin
1: mov $1, %eax
2: xchg %eax, (%rsi)
  test %eax, %eax
  jz 3f
  pause
  jmp 2b
3: incq (%rdi)
  movl $0, (%rsi)
  again
END_GUEST

GUEST(bts_spin_lock)
  begin
1: lock btsl $5, (%rsi)
  jnc 2f
  pause
  jmp 1b
2: incq (%rdi)
  lock btrl $5, (%rsi)
  again
END_GUEST

/* CPU 0 writes all zeros and all ones, CPU 1 counts at R8 what is neither. */
GUEST(whole_qword)
MARK(cpu0)
  xor %eax, %eax
  begin
1: mov %rax, (%rdi)
  not %rax
  again
MARK(cpu1)
  begin
1: mov (%rdi), %rax
  inc %rax
  cmp $1, %rax
  jbe 2f
  incq (%r8)
2: again
END_GUEST

GUEST(whole_xmm)
MARK(cpu0)
  pxor %xmm0, %xmm0
  pcmpeqd %xmm1, %xmm1
  begin
1: movaps %xmm0, (%rdi)
  pxor %xmm1, %xmm0
  again
MARK(cpu1)
  begin
1: movaps (%rdi), %xmm0
  movhlps %xmm0, %xmm1
  movq %xmm0, %rax
  movq %xmm1, %rdx
  cmp %rax, %rdx
  jne 3f
  inc %rax
  cmp $1, %rax
  jbe 2f
3: incq (%r8)
2: again
END_GUEST

/* CPU 0 rewrites the operand of a routine and says so at RDI; CPU 1 serialises, calls it, counts wrong results at R8, answers at RSI. */
GUEST(rewrites_code_of_another_cpu)
MARK(cpu0)
1: mov %ecx, ADDR(5f) + 1
  mov %ecx, (%rdi)
2: pause
  cmp %ecx, (%rsi)
  jne 2b
  again
MARK(cpu1)
1: pause
  cmp %ecx, (%rdi)
  jne 1b
  mov %ecx, %r11d
  xor %eax, %eax
  cpuid
  call 5f
  cmp %eax, %r11d
  je 3f
  incq (%r8)
3: mov %r11d, (%rsi)
  mov %r11d, %ecx
  again
  .balign 4
  nop
  nop
  nop
5: mov $0, %eax
  ret
END_GUEST

/* CPU 0 makes the page at RDI accessed and dirty again and again; CPU 1 clears these bits of its entry at RSI and turns a free one, and
   counts at R8 how often that was lost. */
GUEST(accessed_and_dirty)
MARK(cpu0)
  begin
1: invlpg (%rdi)
  movb $1, (%rdi)
  again
MARK(cpu1)
  xor %ebx, %ebx
  begin
1: lock andq $~0x60, (%rsi)
  lock btcq $9, (%rsi)
  setc %al
  cmp %al, %bl
  je 2f
  incq (%r8)
2: xor $1, %bl
  again
END_GUEST

/* TLB shootdown. RDI: a page that is mapped by the entry at RSI, to the frame of R14 by the value in R12, or to R15's by R13. CPU 0 maps it
   to the other frame, has CPU 1 drop its translation (DATA: the answer), then spoils the old frame. CPU 1 counts at R8 what it reads there. */
  .set APIC, 0xfee00000
  .set STOP, DATA + 64
  .set READY, DATA + 128
GUEST(shoots_down_translations)
MARK(cpu0)
  mov $APIC, %ebx
  movl $0x1ff, 0xf0(%rbx)
  movl $1 << 24, 0x310(%rbx)
4: pause
  cmpl $0, READY
  je 4b
1: xchg %r12, %r13
  xchg %r14, %r15
  movl $1, (%r14)
  mov %r12, (%rsi)
  movl $0, DATA
  movl $0x51, 0x300(%rbx)
2: pause
  cmpl $0, DATA
  je 2b
  movl $2, (%r15)
  dec %rcx
  jnz 1b
  movl $1, STOP
  out %al, $0x10
MARK(cpu1)
  mov $APIC, %ebx
  movl $0x1ff, 0xf0(%rbx)
  movl $1, READY
  sti
1: cmpl $1, (%rdi)
  je 2f
  incq (%r8)
2: cmpl $0, STOP
  je 1b
  cli
  out %al, $0x10
MARK(handler)
  invlpg (%rdi)
  movl $1, DATA
  movl $0, 0xb0(%rbx)
  iretq
END_GUEST
