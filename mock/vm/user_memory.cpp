// The guarded copy and the fault handlers. See user_memory.hpp.
#include "mock/vm/user_memory.hpp"

#include <signal.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

extern "C" {
int kvmmock_copy(void* to, const void* from, std::size_t bytes);
int kvmmock_touch_read(const void* address);
int kvmmock_touch_write(void* address);
extern const char kvmmock_guarded_begin[], kvmmock_guarded_end[], kvmmock_guarded_fault[];
}

// No stack use and no callee-saved register inside the block: its fault exit only has to return 1. Copies go by words
// of eight bytes, as the structures are written: a wider load right after such stores would wait for them.
asm(R"(
    .text
    .p2align 4
kvmmock_guarded_begin:
    .type kvmmock_copy, @function
kvmmock_copy:
    .cfi_startproc
    cmpq $1024, %rdx
    jae 5f
1:  cmpq $64, %rdx
    jb 2f
    movq (%rsi), %rax
    movq 8(%rsi), %rcx
    movq 16(%rsi), %r8
    movq 24(%rsi), %r9
    movq %rax, (%rdi)
    movq %rcx, 8(%rdi)
    movq %r8, 16(%rdi)
    movq %r9, 24(%rdi)
    movq 32(%rsi), %rax
    movq 40(%rsi), %rcx
    movq 48(%rsi), %r8
    movq 56(%rsi), %r9
    movq %rax, 32(%rdi)
    movq %rcx, 40(%rdi)
    movq %r8, 48(%rdi)
    movq %r9, 56(%rdi)
    addq $64, %rsi
    addq $64, %rdi
    subq $64, %rdx
    jmp 1b
2:  cmpq $8, %rdx
    jb 3f
    movq (%rsi), %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    subq $8, %rdx
    jmp 2b
3:  testq %rdx, %rdx
    jz 6f
4:  movb (%rsi), %al
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %rdx
    jnz 4b
    jmp 6f
5:  movq %rdx, %rcx
    rep movsb
6:  xorl %eax, %eax
    ret
    .cfi_endproc
    .size kvmmock_copy, . - kvmmock_copy

    .type kvmmock_touch_read, @function
kvmmock_touch_read:
    .cfi_startproc
    movb (%rdi), %al
    xorl %eax, %eax
    ret
    .cfi_endproc
    .size kvmmock_touch_read, . - kvmmock_touch_read

    .type kvmmock_touch_write, @function
kvmmock_touch_write:
    .cfi_startproc
    lock orb $0, (%rdi)
    xorl %eax, %eax
    ret
    .cfi_endproc
    .size kvmmock_touch_write, . - kvmmock_touch_write
kvmmock_guarded_end:

    .type kvmmock_guarded_fault, @function
kvmmock_guarded_fault:
    .cfi_startproc
    movl $1, %eax
    ret
    .cfi_endproc
    .size kvmmock_guarded_fault, . - kvmmock_guarded_fault
)");

namespace mock::vm {
namespace {

struct sigaction g_previous_segv, g_previous_bus;

void resume_scope() { __builtin_longjmp(HostFaultScope::t_innermost->resume, 1); }

void forward(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = signal == SIGSEGV ? g_previous_segv : g_previous_bus;
  if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) return previous.sa_handler(signal);
  // Without a handler the same fault, met again after the return, ends the process as it would have without us.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

void on_fault(int signal, siginfo_t* info, void* context) {
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto rip = static_cast<u64>(registers[REG_RIP]);
  if (rip >= reinterpret_cast<u64>(kvmmock_guarded_begin) && rip < reinterpret_cast<u64>(kvmmock_guarded_end)) {
    registers[REG_RIP] = reinterpret_cast<greg_t>(kvmmock_guarded_fault);
    return;
  }
  if (HostFaultScope* scope = HostFaultScope::t_innermost) {
    scope->address = reinterpret_cast<u64>(info->si_addr);
    scope->signal = signal;
    // Return from the handler into resume_scope(), below the red zone and aligned as at a function's entry.
    registers[REG_RSP] = ((registers[REG_RSP] - 256) & ~greg_t{15}) - 8;
    registers[REG_RIP] = reinterpret_cast<greg_t>(&resume_scope);
    return;
  }
  forward(signal, info, context);
}

}  // namespace

void HostFaultScope::die() const {
  std::fprintf(stderr, "kvm mock: the interpreter used bad memory at 0x%llx\n",
               static_cast<unsigned long long>(address));
  std::abort();
}

void install_fault_guard() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &g_previous_segv);
    sigaction(SIGBUS, &action, &g_previous_bus);
  });
}

bool copy_from_user(void* to, u64 from, std::size_t bytes) {
  return is_user_range(from, bytes) && kvmmock_copy(to, reinterpret_cast<const void*>(from), bytes) == 0;
}

bool copy_to_user(u64 to, const void* from, std::size_t bytes) {
  return is_user_range(to, bytes) && kvmmock_copy(reinterpret_cast<void*>(to), from, bytes) == 0;
}

bool is_readable(const void* address) { return kvmmock_touch_read(address) == 0; }
bool is_writable(void* address) { return kvmmock_touch_write(address) == 0; }

}  // namespace mock::vm
