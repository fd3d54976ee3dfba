/* FFFF:0010 is the first byte above 1 MiB, unless the A20 line is masked. */
#define MODE real
#include "guests/guest.inc"

GUEST(read_above_1_mib)
  mov $0xffff, %ax
  mov %ax, %es
  mov %es:0x10, %al
  hlt
END_GUEST
