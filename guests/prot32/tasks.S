/* Hardware tasks. The tests put a second TSS at SPARE whose descriptor is 0x50; the task starts at `task`. */
#define MODE prot32
#include "guests/guest.inc"
#include "guests/shared/enter_user.inc"

GUEST(task_jump)
  mov $TSS_SEL, %eax
  ltr %ax
  mov $0x5555, %esi
MARK(fault)
  ljmp $0x50, $0
MARK(after)
  hlt
MARK(task)
  hlt
MARK(after_hlt)
END_GUEST

GUEST(task_call)
  mov $TSS_SEL, %eax
  ltr %ax
  mov $0x5555, %esi
  lcall $0x50, $0
MARK(after)
  hlt
MARK(after_second)
MARK(task)
  hlt
MARK(after_hlt)
  iretl
MARK(resumed)
END_GUEST

/* INT 0x21 through a task gate, from ring 3. */
GUEST(task_interrupt)
  enter_user
  int $0x21
MARK(after)
  ud2
MARK(task)
  hlt
MARK(after_hlt)
  iretl
END_GUEST

/* AMD's SYSCALL outside long mode. */
GUEST(syscall_legacy)
  enter_user 0x202
MARK(fault)
  syscall
MARK(after)
  ud2
MARK(entry)
  hlt
MARK(after_hlt)
  .byte 0x0f, 0x07 /* sysret */
END_GUEST
