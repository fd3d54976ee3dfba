// Whole snippets on the engine: modes, exits and their completion, block cache against changing code.
#include <gmock/gmock.h>

#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

SNIPPET(sum_loop16, ".code16", "xor %ax, %ax; mov $10, %cx; 1: add %cx, %ax; loop 1b; hlt")
SNIPPET(sum_loop32, ".code32", "xor %eax, %eax; mov $10, %ecx; 1: add %ecx, %eax; dec %ecx; jnz 1b; hlt")
SNIPPET(fib64, ".code64",
        "mov $15, %edi; call fib; hlt; fib: cmp $2, %edi; jae 1f; mov %edi, %eax; ret;"
        "1: push %rbx; mov %edi, %ebx; lea -1(%rdi), %edi; call fib; push %rax; lea -2(%rbx), %edi; call fib; pop %rdx;"
        "add %edx, %eax; pop %rbx; ret")

TEST(Engine, runs_a_loop_in_real_mode) {
  FlatMachine m;
  m.load(0x1000, sum_loop16());
  m.real_mode(0x1000);
  EXPECT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RAX) & 0xffff, 55u);
  EXPECT_EQ(m.s().rip, 0x1000 + sum_loop16().size());
  EXPECT_EQ(m.cpu.instructions_retired(), 2u + 20u + 1u);
}

TEST(Engine, runs_a_loop_in_protected_mode) {
  FlatMachine m;
  m.load(0x1000, sum_loop32());
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 55u);
  EXPECT_EQ(m.cpu.instructions_retired(), 2u + 30u + 1u);
}

TEST(Engine, runs_recursion_in_long_mode) {
  FlatMachine m;
  m.load(0x1000, fib64());
  m.long_mode(0x1000);
  EXPECT_EQ(m.cpu.run(1000000), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 610u);
  EXPECT_EQ(m.reg(RSP), 0x8000u);
}

TEST(Engine, the_budget_stops_anywhere_and_the_run_continues) {
  FlatMachine whole, pieces;
  for (FlatMachine* m : {&whole, &pieces}) {
    m->load(0x1000, fib64());
    m->long_mode(0x1000);
  }
  ASSERT_EQ(whole.cpu.run(1000000), Stop::hlt);
  Stop stop = Stop::budget;
  u64 calls = 0;
  for (; stop == Stop::budget; ++calls) {
    stop = pieces.cpu.run(1 + calls % 7);
    ASSERT_LT(calls, 100000u);
  }
  EXPECT_EQ(stop, Stop::hlt);
  EXPECT_EQ(pieces.s().gpr, whole.s().gpr);
  EXPECT_EQ(pieces.cpu.rflags(), whole.cpu.rflags());
  EXPECT_EQ(pieces.cpu.instructions_retired(), whole.cpu.instructions_retired());
}

SNIPPET(port_io, ".code16", "mov $0x1234, %ax; out %ax, $0x10; in $0x11, %al; hlt")

TEST(Engine, out_and_in_stop_on_the_instruction_and_are_completed) {
  FlatMachine m;
  m.load(0x1000, port_io());
  m.real_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::io);
  EXPECT_FALSE(m.cpu.stop_info().is_in);
  EXPECT_EQ(m.cpu.stop_info().port, 0x10);
  EXPECT_EQ(m.cpu.stop_info().size, 2);
  EXPECT_EQ(m.cpu.stop_info().data, 0x1234u);
  EXPECT_EQ(m.s().rip, 0x1003u);
  EXPECT_EQ(m.cpu.complete(nullptr), Stop::budget);
  EXPECT_EQ(m.s().rip, 0x1005u);
  EXPECT_EQ(m.cpu.run(100), Stop::io);
  EXPECT_TRUE(m.cpu.stop_info().is_in);
  EXPECT_EQ(m.s().rip, 0x1005u);
  const u8 value = 0xab;
  EXPECT_EQ(m.cpu.complete(&value), Stop::budget);
  EXPECT_EQ(m.reg(RAX) & 0xffff, 0x12abu);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.cpu.instructions_retired(), 4u);
}

TEST(Engine, a_changed_rip_drops_a_waiting_port_access) {
  FlatMachine m;
  m.load(0x1000, port_io());
  m.real_mode(0x1000);
  ASSERT_EQ(m.cpu.run(100), Stop::io);
  m.s().rip = 0x1007;
  EXPECT_EQ(m.cpu.complete(nullptr), Stop::budget);
  EXPECT_EQ(m.s().rip, 0x1007u);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
}

SNIPPET(mmio, ".code32", "mov $0x200000, %ebx; mov (%ebx), %eax; addl $5, 8(%ebx); mov %eax, 0x10(%ebx); hlt")

TEST(Engine, device_memory_is_read_by_repeating_and_written_after_retiring) {
  FlatMachine m;
  m.load(0x1000, mmio());
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::mmio_read);
  EXPECT_EQ(m.cpu.stop_info().gpa.value, 0x200000u);
  EXPECT_EQ(m.cpu.stop_info().length, 4);
  EXPECT_EQ(m.s().rip, 0x1005u);
  u32 value = 0x11223344;
  EXPECT_EQ(m.cpu.complete(&value), Stop::budget);
  EXPECT_EQ(m.reg(RAX), 0x11223344u);
  EXPECT_EQ(m.s().rip, 0x1007u);
  // Read-modify-write: a read, then a write.
  EXPECT_EQ(m.cpu.run(100), Stop::mmio_read);
  EXPECT_EQ(m.cpu.stop_info().gpa.value, 0x200008u);
  value = 10;
  EXPECT_EQ(m.cpu.complete(&value), Stop::mmio_write);
  EXPECT_EQ(m.cpu.stop_info().bytes[0], 15);
  EXPECT_EQ(m.s().rip, 0x100bu);
  EXPECT_EQ(m.cpu.complete(nullptr), Stop::budget);
  EXPECT_EQ(m.cpu.run(100), Stop::mmio_write);
  EXPECT_EQ(m.cpu.stop_info().gpa.value, 0x200010u);
  EXPECT_EQ(m.cpu.complete(nullptr), Stop::budget);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
}

SNIPPET(self_modifying, ".code32", "mov $3, %ecx; 1: movb $0x43, 0x100e; nop; nop; inc %eax; loop 1b; hlt")

TEST(Engine, code_that_changes_itself_takes_effect_at_once) {
  FlatMachine m;
  m.load(0x1000, self_modifying());
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 0u);
  EXPECT_EQ(m.reg(RBX), 3u);
}

TEST(Engine, code_rewritten_by_the_owner_between_two_runs_is_seen) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x40\xf4", 2));  // inc %eax; hlt
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 1u);
  m.load(0x1000, std::string_view("\x43\xf4", 2));  // inc %ebx; hlt
  m.s().rip = 0x1000;
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 1u);
  EXPECT_EQ(m.reg(RBX), 1u);
}

SNIPPET(string_exits, ".code16",
        "mov $3, %cx; mov $0x500, %si; mov $0x10, %dx; rep outsb; mov $2, %cx; mov $0x600, %di; rep insb; hlt")

TEST(Engine, an_undefined_instruction_whose_second_byte_the_owner_rewrites_is_another_one) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x0f\x04\xc3\xf4", 4));  // undefined
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::shutdown);
  m.load(0x1000, std::string_view("\x0f\xb6\xc3\xf4", 4));  // movzx %bl, %eax; hlt
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
}

TEST(Engine, rep_outs_leaves_one_by_one_and_rep_ins_asks_for_all) {
  FlatMachine m;
  m.load(0x1000, string_exits());
  m.load(0x500, "abc");
  m.real_mode(0x1000);
  for (char c : {'a', 'b', 'c'}) {
    ASSERT_EQ(m.cpu.run(100), Stop::io);
    EXPECT_EQ(m.cpu.stop_info().data, static_cast<u64>(c));
    // After the last element, too: as KVM, which runs it once more with RCX 0.
    EXPECT_EQ(m.s().rip, 0x1009u);
    m.cpu.complete(nullptr);
  }
  EXPECT_EQ(m.reg(RSI), 0x503u);
  ASSERT_EQ(m.cpu.run(100), Stop::io);
  EXPECT_EQ(m.cpu.stop_info().count, 2u);
  EXPECT_EQ(m.cpu.complete("xy"), Stop::budget);
  EXPECT_EQ(m.peek<u8>(0x600), 'x');
  EXPECT_EQ(m.peek<u8>(0x601), 'y');
  EXPECT_EQ(m.reg(RCX) & 0xffff, 0u);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
}

SNIPPET(interrupted, ".code16", "sti; nop; 1: jmp 1b")

TEST(Engine, an_interrupt_waits_for_the_shadow_of_sti) {
  FlatMachine m;
  m.load(0x1000, interrupted());
  m.poke<u16>(0x20 * 4, 0x2000);
  m.poke<u8>(0x2000, 0xf4);
  m.real_mode(0x1000);
  m.bus.vector = 0x20;
  m.s().attention |= kAttentionInterrupt;
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.peek<u16>(0x8000 - 6), 0x1002);  // after the NOP
  EXPECT_EQ(m.cpu.instructions_retired(), 3u);
}

TEST(Engine, missing_host_memory_is_a_stop_on_the_instruction) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\xa1\x00\x50\xf4", 4));  // mov 0x5000, %ax
  m.real_mode(0x1000);
  m.bus.absent_page = 0x5000;
  EXPECT_EQ(m.cpu.run(100), Stop::host_fault);
  EXPECT_EQ(m.cpu.stop_info().gpa.value, 0x5000u);
  EXPECT_EQ(m.s().rip, 0x1000u);
}

TEST(Engine, code_outside_memory_is_an_emulation_failure_without_bytes) {
  FlatMachine m;
  m.protected_mode(0x40000000);
  EXPECT_EQ(m.cpu.run(100), Stop::emulation_failure);
  EXPECT_EQ(m.cpu.stop_info().instruction_length, 0);
}

// PUSH has read a device, and its stack has no host page.
TEST(Engine, what_was_read_from_a_device_is_forgotten_when_the_instruction_stops_for_another_reason) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\xff\x35\x00\x00\x20\x00", 6));  // push dword [0x200000]
  m.load(0x1800, std::string_view("\xa1\x10\x00\x20\x00", 5));      // mov eax, [0x200010]
  m.protected_mode(0x1000);
  m.s().gpr[RSP] = 0x5004;
  m.bus.absent_page = 0x5000;
  ASSERT_EQ(m.cpu.run(100), Stop::mmio_read);
  const u64 data = 0x11111111;
  ASSERT_EQ(m.cpu.complete(&data), Stop::host_fault);
  m.s().rip = 0x1800;
  m.cpu.state_changed();
  EXPECT_EQ(m.cpu.run(100), Stop::mmio_read);
  EXPECT_EQ(m.cpu.stop_info().gpa.value, 0x200010u);
}

TEST(Engine, ins_goes_on_with_what_it_has_when_the_owner_raises_the_count) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\xf3\x6c\xf4", 3));  // rep insb; hlt
  m.protected_mode(0x1000);
  m.s().gpr[RDI] = 0x2000;
  m.s().gpr[RCX] = 2;
  ASSERT_EQ(m.cpu.run(100), Stop::io);
  ASSERT_EQ(m.cpu.stop_info().count, 2u);
  m.s().gpr[RCX] = 5;
  ASSERT_EQ(m.cpu.complete("ab"), Stop::budget);
  ASSERT_EQ(m.cpu.run(100), Stop::io);
  EXPECT_EQ(m.cpu.stop_info().count, 3u);
  EXPECT_EQ(m.s().gpr[RCX], 3u);
  EXPECT_EQ(m.peek<u16>(0x2000), 'a' | 'b' << 8);
}

// Whoever waits for a signal looks between two slices.
TEST(Engine, a_long_repetition_ends_its_slice_and_goes_on) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\xf3\xac\xf4", 3));  // rep lodsb; hlt
  m.protected_mode(0x1000);
  m.s().gpr[RSI] = 0x2000;
  m.s().gpr[RCX] = 20000;
  EXPECT_EQ(m.cpu.run(100), Stop::budget);
  EXPECT_EQ(m.s().rip, 0x1000u);
  EXPECT_GT(m.s().gpr[RCX], 0u);
  EXPECT_LT(m.s().gpr[RCX], 20000u);
  for (int slices = 0; m.s().rip == 0x1000; ++slices) {
    ASSERT_LT(slices, 10);
    (void)m.cpu.run(100);
  }
  EXPECT_EQ(m.s().gpr[RCX], 0u);
  EXPECT_EQ(m.s().gpr[RSI], 0x2000u + 20000);
  EXPECT_EQ(m.cpu.rflags() & RF, 0u);
}

TEST(Engine, a_triple_fault_is_a_shutdown) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x0f\x0b", 2));
  m.protected_mode(0x1000);
  m.s().idtr.limit = 0;
  EXPECT_EQ(m.cpu.run(100), Stop::shutdown);
}

// The table of vectors lies in device memory: nothing of the failed delivery is left for a later instruction.
TEST(Engine, an_event_whose_delivery_reads_a_device_is_unmodelled_and_stays_to_be_delivered) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x0f\x0b", 2));  // ud2
  m.load(0x5000, std::string_view("\xf4", 1));
  m.protected_mode(0x1000);
  m.s().gdtr = {0x4000, 0xff};
  m.poke<u64>(0x4008, 0x00cf9b000000ffff);
  m.s().idtr = {0x200000, 0x7ff};
  EXPECT_EQ(m.cpu.run(100), Stop::unmodelled);
  EXPECT_FALSE(m.cpu.is_completion_pending());
  EXPECT_EQ(m.cpu.core().device.reads, 0u);
  m.s().idtr = {0x3000, 0x7ff};
  m.poke<u64>(0x3000 + UD * 8, 0x00008e0000085000);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.s().rip, 0x5001u);
}

TEST(Engine, the_trap_of_an_instruction_that_ends_stepping_comes_before_the_next_one) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x6a\x02\x9d\x42\xf4", 5));  // push $2; popf; inc %edx; hlt
  m.load(0x5000, std::string_view("\x46\x89\xd3\xcf", 4));      // inc %esi; mov %edx, %ebx; iret
  m.protected_mode(0x1000);
  m.s().gdtr = {0x4000, 0xff};
  m.poke<u64>(0x4008, 0x00cf9b000000ffff);
  m.s().idtr = {0x3000, 0x7ff};
  m.poke<u64>(0x3000 + DB * 8, 0x00008e0000085000);
  m.reg(RDX) = 7;
  m.cpu.set_rflags(TF | kFlagsFixedOne);
  m.cpu.state_changed();
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.reg(RSI), 2u) << "traps";
  EXPECT_EQ(m.reg(RBX), 7u) << "EDX at the last trap";
  EXPECT_EQ(m.s().event.kind, Event::Kind::none);
}

TEST(Engine, a_locked_instruction_meets_data_breakpoints) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\xf0\xff\x05\x00\x60\x00\x00\xf4", 8));  // lock incl 0x6000; hlt
  m.protected_mode(0x1000);
  m.s().dr[0] = 0x6000;
  m.s().dr7 = 0x403 | 1u << 16;  // writes, one byte
  m.cpu.state_changed();
  m.s().idtr.limit = 0;
  EXPECT_EQ(m.cpu.run(100), Stop::shutdown);  // #DB without a gate
  EXPECT_EQ(m.peek<u32>(0x6000), 1u);
}

}  // namespace
}  // namespace mock::cpu
