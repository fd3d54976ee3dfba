#define MODE long64
#include "guests/guest.inc"

GUEST(read_cr8)
  mov %cr8, %rax
  hlt
END_GUEST

GUEST(write_cr8)
MARK(the_write)
  mov %rax, %cr8
MARK(after)
  hlt
END_GUEST
