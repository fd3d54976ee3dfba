// The images and their expected outputs as bytes: images.inc is written by CMake.
#define IMAGE(name, path) \
  .globl name, name##_end; name: .incbin path; name##_end:

  .section .rodata, "a"
#include "images.inc"

  .section .note.GNU-stack, "", @progbits
