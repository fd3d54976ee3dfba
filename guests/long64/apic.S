/* The local APIC's registers by MMIO, in long mode. */
#define MODE long64
#include "guests/guest.inc"
  .set APIC, 0xfee00000

GUEST(read_apic_tpr)
  mov $APIC + 0x80, %ebx
MARK(the_access)
  mov (%rbx), %eax
MARK(after)
  out %al, $0x10
END_GUEST

GUEST(write_apic_tpr)
  mov $APIC + 0x80, %ebx
  mov $0x20, %eax
MARK(the_access)
  mov %eax, (%rbx)
MARK(after)
  out %al, $0x10
END_GUEST

/* Enables the APIC, tells the host through DATA and takes interrupts. `handler` acknowledges one and says so on port 0x10. */
GUEST(apic_takes_interrupts)
  mov $APIC, %ebx
  movl $0x1ff, 0xf0(%rbx)
  sti
1: incl DATA
  jmp 1b
MARK(handler)
MARK(the_eoi)
  movl $0, 0xb0(%rbx)
MARK(after_eoi)
  out %al, $0x10
  iretq
END_GUEST
