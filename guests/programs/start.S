// Where an image starts: the CPU is in the mode of its code with flat segments and a stack, EDI holds the number of
// rounds. Lets the program use all the registers that it was compiled for, runs it, tells where its output is by one OUT,
// and stops.
#include "guests/programs/image.h"

#if defined(__x86_64__)
  .code64
#define XAX %rax
#elif defined(PROGRAM_16)
  .code16gcc
#define XAX %eax
#else
  .code32
#define XAX %eax
#endif

  .section .start, "ax"
  .globl start
start:
  fninit
#ifdef __AVX__
  mov %cr4, XAX
  or $0x40000, %eax  // OSXSAVE
  mov XAX, %cr4
  xor %ecx, %ecx
  xgetbv
  or $7, %eax  // x87, SSE, AVX
  xsetbv
#endif
#ifdef __x86_64__
  call program
#else
  sub $12, %esp  // the ABI wants the argument aligned to 16
  push %edi
  call program
#endif
  mov $program_output, %eax
  out %eax, $PROGRAM_PORT
  hlt

  .section .note.GNU-stack, "", @progbits
