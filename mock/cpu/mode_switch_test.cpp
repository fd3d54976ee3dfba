// Programs that switch modes and take exceptions, run by the whole CPU: real mode, 32-bit protected mode with paging
// and ring 3, long mode with SYSCALL, INT n and page faults. Each ends in HLT and leaves what it saw in memory at kLog.
#include <gtest/gtest.h>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/system_test_bus.hpp"

// All code is linked as if at 0x8000 in guest memory; AT(label) is its guest address.
#define GUEST(name, text)                                                                                          \
  asm(".pushsection .rodata\n" #name ":\n.set base, " #name "\n" text "\n" #name "_end:\n.code64\n.popsection\n"); \
  extern "C" const unsigned char name[], name##_end[]

#define AT(label) "(" #label " - base + 0x8000)"

namespace {

using mock::cpu::Cpu;
using mock::cpu::Stop;
using mock::cpu::SystemTestBus;
using namespace mock::cpu;

constexpr u64 kCode = 0x8000, kLog = 0x6000;

struct Machine {
  SystemTestBus bus;
  Cpu cpu{bus};

  Machine(const unsigned char* begin, const unsigned char* end) {
    for (u64 i = 0; begin + i != end; ++i) bus.poke<u8>(kCode + i, begin[i]);
    bus.cpuid_leaves[{0x80000000, 0}].eax = 0x80000008;
    bus.cpuid_leaves[{0x80000001, 0}].edx = 1u << 29 | 1u << 20;  // long mode, NX
    State& s = cpu.state();
    s.seg[CS].selector = 0;
    s.seg[CS].base = 0;
    s.rip = kCode;
    s.gpr[RSP] = 0x7000;
    cpu.state_changed();
  }
  u32 log(unsigned i) const { return bus.peek<u32>(kLog + i * 4); }
};

}  // namespace

GUEST(guest_real_exceptions, R"(
  .code16
  movw $)" AT(r_int) R"(, 0x80*4
  movw $0, 0x80*4+2
  movw $)" AT(r_de) R"(, 0
  movw $0, 2
  movl $0, 0x6000
  int $0x80
  xorw %cx, %cx
  divw %cx
  movw $0x5555, 0x6008
  hlt
r_int:
  orl $1, 0x6000
  iret
r_de:
  popw 0x6004              # faulting IP
  addw $2, 0x6004
  pushw 0x6004
  orl $2, 0x6000
  iret
)");

TEST(Guest, real_mode_interrupt_and_divide_error) {
  Machine m(guest_real_exceptions, guest_real_exceptions_end);
  ASSERT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.log(0), 3u);
  EXPECT_EQ(m.log(2) & 0xffff, 0x5555u);
  EXPECT_EQ(m.cpu.state().gpr[RSP], 0x7000u);
}

GUEST(guest_protected, R"(
  .code16
  cli
  lgdt )" AT(p_gdtr) R"(
  lidt )" AT(p_idtr) R"(
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $)" AT(p_32) R"(
  .code32
p_32:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $0x7000, %esp
  # identity page table for the first 4 MiB, page 0x50000 absent, page 0x51000 read-only
  movl $0x21000, %edi
  movl $7, %eax
  movl $1024, %ecx
1: movl %eax, (%edi)
  addl $4, %edi
  addl $0x1000, %eax
  loop 1b
  movl $0, 0x21000 + 0x50*4
  movl $0x51005, 0x21000 + 0x51*4
  movl $0x21007, 0x20000
  movl $0x20000, %eax
  movl %eax, %cr3
  movl %cr0, %eax
  orl $0x80010000, %eax
  movl %eax, %cr0
  movw $0x28, %ax
  ltr %ax
  movl $0, 0x6000
  movl 0x50123, %eax       # not present
  movl $1, 0x51000         # read-only, WP
  # to ring 3
  movw $0x23, %ax          # data segments that ring 3 may keep
  movw %ax, %ds
  movw %ax, %es
  pushl $0x23
  pushl $0x9000
  pushl $0x3002
  pushl $0x1b
  pushl $)" AT(p_user) R"(
  iretl
p_user:
  movl %cs, %eax
  movl %eax, 0x6010
  movl $7, 0x51004         # user write to a read-only page
  int $0x80
  hlt                      # #GP
p_end:
  jmp p_end

p_pf:                      # counts in 0x6000, last error in 0x6004, CR2 in 0x6008
  pushl %eax
  movl 4(%esp), %eax
  incl 0x6000
  shll $8, 0x6004
  orl %eax, 0x6004
  movl %cr2, %eax
  movl %eax, 0x6008
  movl $0x50007, 0x21000 + 0x50*4
  cmpl $2, 0x6000
  jb 2f
  ja 3f
  addl $10, 8(%esp)        # skip the write
  jmp 2f
3: movl $0x51007, 0x21000 + 0x51*4
2: invlpg (%eax)
  popl %eax
  addl $4, %esp
  iretl
p_int80:
  movl %esp, 0x6014
  movl (%esp), %eax
  movl %eax, 0x6018
  iretl
p_gp:
  popl 0x601c
  hlt

  .balign 8
p_gdt:
  .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00cffa000000ffff, 0x00cff2000000ffff
  .quad 0x0000890000000067 + ()" AT(p_tss) R"( << 16)
p_gdtr: .word 0x2f
  .long )" AT(p_gdt) R"(
p_idtr: .word 0x81*8-1
  .long )" AT(p_idt) R"(
  .balign 8
p_idt:
  .fill 13, 8, 0
  .word )" AT(p_gp) R"(, 8, 0x8e00, 0
  .word )" AT(p_pf) R"(, 8, 0x8e00, 0
  .fill 0x80 - 15, 8, 0
  .word )" AT(p_int80) R"(, 8, 0xee00, 0
p_tss: .long 0, 0x5000, 0x10
  .fill 23, 4, 0
)");

TEST(Guest, protected_mode_with_paging_and_ring_3) {
  Machine m(guest_protected, guest_protected_end);
  ASSERT_EQ(m.cpu.run(20000), Stop::hlt);
  EXPECT_EQ(m.log(0), 3u) << "page faults";
  EXPECT_EQ(m.log(1), 0x00'03'07u) << "their error codes";
  EXPECT_EQ(m.log(2), 0x51004u);
  EXPECT_EQ(m.log(4), 0x1bu);
  EXPECT_EQ(m.log(5), 0x5000u - 20) << "ESP from the TSS";
  EXPECT_EQ(m.log(7), 0u) << "HLT in ring 3 is #GP(0)";
  EXPECT_EQ(m.bus.peek<u32>(0x51004), 7u);
  EXPECT_EQ(m.bus.peek<u32>(0x21000 + 0x51 * 4) & 0x60, 0x60u) << "accessed and dirty";
  EXPECT_EQ(m.cpu.state().cpl, 0);
}

GUEST(guest_long, R"(
  .code16
  cli
  lgdt )" AT(l_gdtr) R"(
  movl $0x20000, %eax
  movl %eax, %cr3

  movw $0x2000, %ax
  movw %ax, %es
  movl $0x21007, %es:0
  movl $0x22007, %es:0x1000
  movl $0x00087, %es:0x2000
  movl $0x200000, %es:0x2008 # not present
  movl $0x20, %eax
  movl %eax, %cr4
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x901, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000001, %eax
  movl %eax, %cr0
  ljmpl $8, $)" AT(l_64) R"(
  .code64
l_64:
  lidt )" AT(l_idtr) R"(
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movq $0x7000, %rsp
  movw $0x28, %ax
  ltr %ax
  movl $0xc0000081, %ecx
  xorl %eax, %eax
  movl $0x00130008, %edx
  wrmsr
  movl $0xc0000082, %ecx
  movl $)" AT(l_syscall) R"(, %eax
  xorl %edx, %edx
  wrmsr
  movl $0xc0000084, %ecx
  movl $0x200, %eax
  wrmsr
  movl $0, 0x6000
  movq $0x200000, %rax
  movq (%rax), %rbx        # page fault
  movq $0x8000000000000000, %rax
  movq (%rax), %rbx        # not canonical
  pushq $0x23
  pushq $0x9000
  pushq $0x202
  pushq $0x3b
  pushq $)" AT(l_user) R"(
  iretq
l_user:
  movl $0x1234, %eax
  syscall
  movl %eax, 0x6014
  ud2
l_syscall:
  incl %eax
  movl %ecx, 0x600c
  movl %r11d, 0x6010
  sysretq
l_ud:
  movl %esp, 0x6018
  movl 8(%rsp), %eax
  movl %eax, 0x601c
  hlt
l_pf:
  orl $1, 0x6000
  popq %rcx
  movl %ecx, 0x6004
  movq %cr2, %rcx
  movl %ecx, 0x6008
  addq $3, (%rsp)
  iretq
l_gp:
  orl $2, 0x6000
  popq %rcx
  addq $3, (%rsp)
  iretq

  .balign 8
l_gdt:
  .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff, 0, 0x00cff2000000ffff
  .quad 0x0000890000000067 + ()" AT(l_tss) R"( << 16), 0
  .quad 0x00affa000000ffff
l_gdtr: .word 0x3f
  .long )" AT(l_gdt) R"(
l_idtr: .word 15*16-1
  .quad )" AT(l_idt) R"(
  .balign 8
l_idt:
  .fill 12, 8, 0
  .word )" AT(l_ud) R"(, 8, 0x8e01, 0, 0, 0, 0, 0
  .fill 12, 8, 0
  .word )" AT(l_gp) R"(, 8, 0x8e00, 0, 0, 0, 0, 0
  .word )" AT(l_pf) R"(, 8, 0x8e00, 0, 0, 0, 0, 0
l_tss: .long 0
  .quad 0x5000, 0, 0, 0, 0x5800
  .fill 22, 4, 0
)");

TEST(Guest, long_mode_with_faults_syscall_and_ist) {
  Machine m(guest_long, guest_long_end);
  ASSERT_EQ(m.cpu.run(20000), Stop::hlt);
  EXPECT_EQ(m.log(0), 3u) << "#PF and #GP";
  EXPECT_EQ(m.log(1), 0u);
  EXPECT_EQ(m.log(2), 0x200000u);
  EXPECT_EQ(m.log(4), 0x202u) << "R11";
  EXPECT_EQ(m.log(5), 0x1235u);
  EXPECT_EQ(m.log(6), 0x5800u - 40) << "IST";
  EXPECT_EQ(m.log(7), 0x23u) << "CS of SYSRET: STAR[63:48] + 16, RPL 3";
}
