// x87 arithmetic, state instructions and their memory formats against the host CPU.
#include "mock/cpu/host_check.hpp"

namespace mock::cpu {
namespace {

// Control word from the buffer, two operands, every two-operand instruction; results as 80 bits with the status word.
#define TWO_OPERANDS(insn, at)                                                             \
  "fninit\n fldcw 16(%rdi)\n fldl 8(%rdi)\n fldl (%rdi)\n " insn "\n fnstsw 0x10+256+" #at \
  "(%rdi)\n"                                                                               \
  "fnclex\n fldcw 18(%rdi)\n fstpt 256+" #at "(%rdi)\n"

HOST_CHECK(x87_two_operands,
           "andw $0x0f3f, 16(%rdi)\n orw $0x3f, 16(%rdi)\n movw $0x37f, 18(%rdi)\n" TWO_OPERANDS("fadd %st(1), %st", 0)
               TWO_OPERANDS("fsub %st(1), %st", 32) TWO_OPERANDS("fmul %st(1), %st", 64)
                   TWO_OPERANDS("fdiv %st(1), %st", 96) TWO_OPERANDS("fsubr %st(1), %st", 128)
                       TWO_OPERANDS("fdivrp", 160) TWO_OPERANDS("fprem", 192) TWO_OPERANDS("fscale", 224)
                           TWO_OPERANDS("fcom %st(1)", 256) TWO_OPERANDS("fucom %st(1)", 288) TWO_OPERANDS("fsqrt", 320)
                               TWO_OPERANDS("frndint", 352) TWO_OPERANDS("fxam", 384) TWO_OPERANDS("fchs", 416)
                                   TWO_OPERANDS("fpatan", 448) TWO_OPERANDS("fyl2x", 480)
                                       TWO_OPERANDS("faddl (%rdi)", 512) TWO_OPERANDS("fiaddl (%rdi)", 544)
                                           TWO_OPERANDS("fimuls (%rdi)", 576) TWO_OPERANDS("fxtract", 608)
                                               TWO_OPERANDS("fsin", 640) TWO_OPERANDS("f2xm1", 672));

TEST(X87, two_operand_arithmetic_equals_the_host) {
  HostCheck check;
  check.compare(x87_two_operands, x87_two_operands_end, 3, 300);
}

// Unmasked exceptions: the instruction that causes one completes, FNSTSW shows it, nothing traps until the next waiting
// one.
HOST_CHECK(x87_unmasked, R"(
  fninit
  movw $0x0300, 256(%rdi)
  fldl (%rdi)
  fldl 8(%rdi)
  fnclex
  fldcw 256(%rdi)
  fdivrp
  fnstsw 260(%rdi)
  fnstenv 264(%rdi)
  movl $0, 264+12(%rdi)
  movl $0, 264+16(%rdi)
  movl $0, 264+20(%rdi)
  movl $0, 264+24(%rdi)
  fnclex
  fnsave 320(%rdi)
  movl $0, 320+12(%rdi)
  movl $0, 320+16(%rdi)
  movl $0, 320+20(%rdi)
  movl $0, 320+24(%rdi)
  leaq 320+28+20(%rdi), %rax  # empty registers hold whatever was there
  movl $15, %ecx
1: movl $0, (%rax)
  addq $4, %rax
  loop 1b
)");

TEST(X87, unmasked_exceptions_are_left_pending) {
  HostCheck check;
  check.compare(x87_unmasked, x87_unmasked_end, 2, 300);
}

HOST_CHECK(x87_stores, R"(
  fninit
  movw $0x0f3f, %ax
  andw %ax, 16(%rdi)
  orw $0x3f, 16(%rdi)
  fldcw 16(%rdi)
  fldl (%rdi)
  fsts 256(%rdi)
  fstl 264(%rdi)
  fistl 272(%rdi)
  fists 276(%rdi)
  fld %st
  fistpll 280(%rdi)
  fld %st
  fisttpll 288(%rdi)
  fld %st
  fbstp 296(%rdi)
  fnstsw 312(%rdi)
  fldl 8(%rdi)
  fcomi %st(1), %st
  lahf
  movb %ah, 314(%rdi)
  fcmovb %st(1), %st
  fstpt 320(%rdi)
  fldt 320(%rdi)
  fbld 296(%rdi)
  fxch %st(1)
  fincstp
  ffree %st(3)
  fnstsw 336(%rdi)
  fnstsw %ax
  movw %ax, 338(%rdi)
  fnclex
  fninit
)");

TEST(X87, stores_conversions_and_flag_instructions_equal_the_host) {
  HostCheck check;
  check.compare(x87_stores, x87_stores_end, 3, 300);
}

HOST_CHECK(x87_fxsave, R"(
  fninit
  fldl (%rdi)
  fldpi
  fldz
  fxsave 512(%rdi)
  movq $0, 520(%rdi)
  movq $0, 528(%rdi)
  movw $0, 518(%rdi)
  movl $0x1f80, 536(%rdi)
  movl $0xffff, 540(%rdi)     # the host may have the misaligned mode
  fninit
  fxrstor 512(%rdi)
  fstpt 256(%rdi)
  fstpt 272(%rdi)
  fstpt 288(%rdi)
  fnstsw 304(%rdi)
  fninit
  leaq 512+80(%rdi), %rax     # empty registers and XMM hold whatever was there
  movl $42, %ecx
1: movq $0, (%rax)
  addq $8, %rax
  loop 1b
)");

TEST(X87, fxsave_and_fxrstor_have_the_hosts_format) {
  HostCheck check;
  check.compare(x87_fxsave, x87_fxsave_end, 2, 20);
}

TEST(X87, pending_exception_is_reported_by_the_next_waiting_instruction) {
  HostCheck check;
  State& s = check.cpu().state();
  constexpr u8 kWait[] = {0xdb, 0xe2, 0x9b, 0xf4};  // FNCLEX does not wait; FWAIT; HLT
  check.bus().poke(HostCheck::kCode, kWait);
  s.fpu.fsw = 0x8081;
  s.fpu.fcw = 0x37e;
  s.rip = HostCheck::kCode + 2;
  s.idtr.limit = 0;
  EXPECT_EQ(check.cpu().run(10), Stop::shutdown) << "#MF, and no IDT";
  s.rip = HostCheck::kCode;
  EXPECT_EQ(check.cpu().run(10), Stop::hlt);
}

TEST(X87, task_switched_and_emulation_bits_raise_nm) {
  HostCheck check;
  State& s = check.cpu().state();
  constexpr u8 kFld1[] = {0xd9, 0xe8, 0xf4};
  check.bus().poke(HostCheck::kCode, kFld1);
  for (const u64 bit : {u64{CR0_TS}, u64{CR0_EM}}) {
    s.cr0 |= bit;
    s.rip = HostCheck::kCode;
    s.idtr.limit = 0;
    EXPECT_EQ(check.cpu().run(10), Stop::shutdown);
    s.cr0 &= ~bit;
  }
  s.rip = HostCheck::kCode;
  EXPECT_EQ(check.cpu().run(10), Stop::hlt);
}

}  // namespace
}  // namespace mock::cpu
