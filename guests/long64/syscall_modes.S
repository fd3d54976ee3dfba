/* SYSCALL and SYSRET from compatibility mode, and stepped. The tests set the MSRs. */
#define MODE long64
#include "guests/guest.inc"
#include "guests/shared/enter_user.inc"

GUEST(syscall_from_compatibility_mode)
  pushq $USER_DS
  pushq $USER_STACK_TOP
  pushq $0x202
  pushq $USER_CS32
  pushq $ADDR(1f)
  iretq
1:
  .code32
MARK(user)
  syscall
MARK(after)
  ud2
  .code64
MARK(entry)
  hlt
MARK(after_hlt)
  sysretl
END_GUEST

/* Ring 3 is stepped over its SYSCALL. */
GUEST(step_syscall)
  enter_user 0x302
  syscall
MARK(after)
  nop
  ud2
MARK(entry)
  hlt
MARK(after_hlt)
  sysretq
END_GUEST
