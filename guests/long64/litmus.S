/* Two to four CPUs on shared memory: litmus tests of x86-TSO (Sewell and others, "x86-TSO", CACM 2010; SDM vol. 3, 9.2), one
   marked entry per CPU. Round n has a line of X and a line of Y of its own, so that rounds need no barrier.

   At the start: RDI = X, RSI = Y, R8 = this CPU's results (two dwords per round), RCX = rounds, R9 = where it publishes how many are
   left, R10 = where its neighbour does. Each CPU waits a little for a neighbour that is behind. */
#define MODE long64
#include "guests/guest.inc"

#define CPU(n) MARK(cpu##n); 1:

  .macro next_round
  add $64, %rdi
  add $64, %rsi
  add $8, %r8
  mov %rcx, (%r9)
  test $15, %cl
  jnz 3f
  mov $100, %edx
2: cmp %rcx, (%r10)
  jbe 3f
  pause
  dec %edx
  jnz 2b
3: dec %rcx
  jnz 1b
  mov %rcx, (%r9)
  hlt
  .endm

GUEST(store_buffering)
CPU(0)
  movl $1, (%rdi)
  mov (%rsi), %eax
  mov %eax, (%r8)
  next_round
CPU(1)
  movl $1, (%rsi)
  mov (%rdi), %eax
  mov %eax, (%r8)
  next_round
END_GUEST

GUEST(store_buffering_mfence)
CPU(0)
  movl $1, (%rdi)
  mfence
  mov (%rsi), %eax
  mov %eax, (%r8)
  next_round
CPU(1)
  movl $1, (%rsi)
  mfence
  mov (%rdi), %eax
  mov %eax, (%r8)
  next_round
END_GUEST

GUEST(store_buffering_locked)
CPU(0)
  movl $1, (%rdi)
  lock addl $0, 4(%r8)
  mov (%rsi), %eax
  mov %eax, (%r8)
  next_round
CPU(1)
  movl $1, (%rsi)
  lock addl $0, 4(%r8)
  mov (%rdi), %eax
  mov %eax, (%r8)
  next_round
END_GUEST

GUEST(store_buffering_xchg)
CPU(0)
  mov $1, %eax
  xchg %eax, (%rdi)
  mov (%rsi), %eax
  mov %eax, (%r8)
  next_round
CPU(1)
  mov $1, %eax
  xchg %eax, (%rsi)
  mov (%rdi), %eax
  mov %eax, (%r8)
  next_round
END_GUEST

/* Each reads its own store, then the other's variable. */
GUEST(store_forwarding)
CPU(0)
  movl $1, (%rdi)
  mov (%rdi), %eax
  mov (%rsi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
CPU(1)
  movl $1, (%rsi)
  mov (%rsi), %eax
  mov (%rdi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
END_GUEST

GUEST(message_passing)
CPU(0)
  movl $1, (%rdi)
  movl $1, (%rsi)
  next_round
CPU(1)
  mov (%rsi), %eax
  mov (%rdi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
END_GUEST

GUEST(load_buffering)
CPU(0)
  mov (%rdi), %eax
  movl $1, (%rsi)
  mov %eax, (%r8)
  next_round
CPU(1)
  mov (%rsi), %eax
  movl $1, (%rdi)
  mov %eax, (%r8)
  next_round
END_GUEST

GUEST(two_plus_two_writes)
CPU(0)
  movl $1, (%rdi)
  movl $2, (%rsi)
  next_round
CPU(1)
  movl $1, (%rsi)
  movl $2, (%rdi)
  next_round
END_GUEST

/* "S": a store after a load that saw the other's second store. */
GUEST(store_after_seen_store)
CPU(0)
  movl $2, (%rdi)
  movl $1, (%rsi)
  next_round
CPU(1)
  mov (%rsi), %eax
  movl $1, (%rdi)
  mov %eax, (%r8)
  next_round
END_GUEST

GUEST(independent_reads)
CPU(0)
  movl $1, (%rdi)
  next_round
CPU(1)
  movl $1, (%rsi)
  next_round
CPU(2)
  mov (%rdi), %eax
  mov (%rsi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
CPU(3)
  mov (%rsi), %eax
  mov (%rdi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
END_GUEST

GUEST(write_to_read_causality)
CPU(0)
  movl $1, (%rdi)
  next_round
CPU(1)
  mov (%rdi), %eax
  movl $1, (%rsi)
  mov %eax, (%r8)
  next_round
CPU(2)
  mov (%rsi), %eax
  mov (%rdi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
END_GUEST

/* Two reads of one location do not go back in time. */
GUEST(coherent_reads)
CPU(0)
  movl $1, (%rdi)
  movl $2, (%rdi)
  next_round
CPU(1)
  mov (%rdi), %eax
  mov (%rdi), %ebx
  mov %eax, (%r8)
  mov %ebx, 4(%r8)
  next_round
END_GUEST
