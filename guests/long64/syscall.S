/* SYSCALL and SYSRET. The tests set the MSRs: LSTAR at `entry`. */
#define MODE long64
#include "guests/guest.inc"

GUEST(syscall_from_ring_3)
  pushq $USER_DS
  pushq $USER_STACK_TOP
  pushq $0x202
  pushq $USER_CS
  pushq $ADDR(1f)
  iretq
1:
MARK(user)
  syscall
MARK(after)
  ud2
MARK(entry)
  hlt
MARK(after_hlt)
  sysretq
END_GUEST

GUEST(syscall_not_enabled)
MARK(fault)
  syscall
  hlt
END_GUEST
