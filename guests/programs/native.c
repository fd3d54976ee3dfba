// The same programs as processes of Linux, without a C library: `program ROUNDS` writes its output and ends.
#include "guests/programs/runtime.h"

static long system_call(long number, long a, long b, long c) {
  long result = number;
#ifdef __x86_64__
  __asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(a), "c"(b), "d"(c) : "memory");
#endif
  return result;
}

#ifdef __x86_64__
enum { kWrite = 1, kExit = 60 };
__asm__(".globl _start; _start: mov %rsp, %rdi; and $-16, %rsp; call start_native");
#else
enum { kWrite = 4, kExit = 1 };
__asm__(".globl _start; _start: mov %esp, %eax; and $-16, %esp; sub $12, %esp; push %eax; call start_native");
#endif

// `stack`: argc, argv[0], argv[1] ...
void start_native(const long* stack) {
  unsigned rounds = 0;
  if (stack[0] != 2) system_call(kExit, 2, 0, 0);
  for (const char* digit = (const char*)stack[2]; *digit; ++digit) rounds = rounds * 10 + (unsigned)(*digit - '0');
  program(rounds);
  u32 done = 0;
  while (done < program_output.size) {
    const long written = system_call(kWrite, 1, (long)(program_output.text + done), program_output.size - done);
    if (written <= 0) system_call(kExit, 1, 0, 0);
    done += (u32)written;
  }
  system_call(kExit, 0, 0, 0);
}
