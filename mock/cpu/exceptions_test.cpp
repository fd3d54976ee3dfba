// Event delivery in every mode: frames, gates, privilege changes, nested faults.
#include "mock/cpu/exceptions.hpp"

#include <gtest/gtest.h>

#include "mock/cpu/system_test_machine.hpp"

namespace mock::cpu {
namespace {

Event exception(u8 vector) { return {.kind = Event::Kind::exception, .vector = vector}; }
Event exception(u8 vector, u32 error_code) {
  return {.kind = Event::Kind::exception, .vector = vector, .has_error_code = true, .error_code = error_code};
}
Event interrupt(u8 vector) { return {.kind = Event::Kind::interrupt, .vector = vector}; }
Event soft(u8 vector) { return {.kind = Event::Kind::soft_interrupt, .vector = vector, .instruction_length = 2}; }

TEST(DeliverReal, frame_is_flags_cs_ip_and_an_error_code_is_not_pushed) {
  RealMode m;
  m.bus.poke<u32>(13 * 4, 0x1234'5678);
  m.core.s.seg[CS].selector = 0x100;
  m.core.s.seg[CS].base = 0x1000;
  m.core.set_rflags(IF | CF | kFlagsFixedOne);
  ASSERT_TRUE(deliver(m.core, exception(GP, 0)));
  EXPECT_EQ(m.core.s.gpr[RSP], 0x7ffau);
  EXPECT_EQ(m.stack<u16>(0), 0x5000);
  EXPECT_EQ(m.stack<u16>(1), 0x100);
  EXPECT_EQ(m.stack<u16>(2), IF | CF | 2);
  EXPECT_EQ(m.core.s.rip, 0x5678u);
  EXPECT_EQ(m.core.s.seg[CS].selector, 0x1234);
  EXPECT_EQ(m.core.s.seg[CS].base, 0x12340u);
  EXPECT_EQ(m.core.rflags(), CF | 2u);
}

TEST(DeliverReal, an_idt_without_room_ends_in_shutdown) {
  RealMode m;
  m.core.s.idtr.limit = 0;
  EXPECT_FALSE(deliver(m.core, exception(UD)));
  EXPECT_TRUE(m.core.fault.is_stop);
  EXPECT_EQ(m.core.fault.stop, Stop::shutdown);
}

TEST(DeliverReal, an_idt_that_lacks_only_the_vector_gives_gp) {
  RealMode m;
  m.core.s.idtr.limit = 0x1f * 4 - 1;
  m.bus.poke<u32>(13 * 4, 0x0000'7000);
  ASSERT_TRUE(deliver(m.core, interrupt(0x40)));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
}

TEST(DeliverProtected, same_privilege_pushes_eflags_cs_eip_error) {
  Protected32 m;
  m.gate(GP, 0x6000);
  m.core.set_rflags(IF | TF | kFlagsFixedOne);
  ASSERT_TRUE(deliver(m.core, exception(GP, 0x18)));
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 16);
  EXPECT_EQ(m.stack<u32>(0), 0x18u);
  EXPECT_EQ(m.stack<u32>(1), 0x5000u);
  EXPECT_EQ(m.stack<u32>(2), kCode0);
  EXPECT_EQ(m.stack<u32>(3), IF | TF | RF | 2u) << "a fault pushes RF";
  EXPECT_EQ(m.core.s.rip, 0x6000u);
  EXPECT_EQ(m.core.rflags(), 2u);
}

TEST(DeliverProtected, a_trap_gate_leaves_if_set) {
  Protected32 m;
  m.gate(0x80, 0x6000, kTrapGate32);
  m.core.set_rflags(IF | kFlagsFixedOne);
  ASSERT_TRUE(deliver(m.core, interrupt(0x80)));
  EXPECT_EQ(m.core.rflags(), IF | 2u);
  EXPECT_EQ(m.stack<u32>(2), IF | 2u) << "an interrupt does not push RF";
}

TEST(DeliverProtected, a_16_bit_gate_pushes_words_and_takes_16_bits_of_offset) {
  Protected32 m;
  m.gate(3, 0xabcd6000, kInterruptGate16);
  ASSERT_TRUE(deliver(m.core, interrupt(3)));
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 6);
  EXPECT_EQ(m.stack<u16>(0), 0x5000);
  EXPECT_EQ(m.core.s.rip, 0x6000u);
}

TEST(DeliverProtected, privilege_change_takes_the_stack_from_the_tss) {
  Protected32 m;
  m.enter_ring3();
  m.gate(0x80, 0x6000, kInterruptGate32, kCode0, 3);
  ASSERT_TRUE(deliver(m.core, soft(0x80)));
  EXPECT_EQ(m.core.s.cpl, 0);
  EXPECT_EQ(m.core.s.seg[SS].selector, kData0);
  EXPECT_EQ(m.core.s.seg[CS].selector, kCode0);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 20);
  EXPECT_EQ(m.stack<u32>(0), 0x5000u);
  EXPECT_EQ(m.stack<u32>(1), kCode3 | 3u);
  EXPECT_EQ(m.stack<u32>(3), kStack3);
  EXPECT_EQ(m.stack<u32>(4), kData3 | 3u);
}

TEST(DeliverProtected, int_n_checks_the_gate_dpl_and_the_fault_is_the_instructions) {
  Protected32 m;
  m.enter_ring3();
  m.gate(0x80, 0x6000);
  m.gate(GP, 0x7000);
  m.core.s.rip = 0x5002;
  ASSERT_TRUE(deliver(m.core, soft(0x80)));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.stack<u32>(0), 0x80 * 8 + 2u) << "IDT bit, no EXT";
  EXPECT_EQ(m.stack<u32>(1), 0x5000u);
  ASSERT_TRUE(deliver(m.core, interrupt(0x80)));  // hardware interrupts do not look at the DPL
  EXPECT_EQ(m.core.s.rip, 0x6000u);
}

TEST(DeliverProtected, faults_of_delivery_have_ext_for_hardware_events) {
  Protected32 m;
  m.gate(GP, 0x7000);
  m.gate(NP, 0x7100);
  m.gate(0x30, 0x6000, kInterruptGate32, 0);
  ASSERT_TRUE(deliver(m.core, interrupt(0x30)));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.stack<u32>(0), 1u) << "null selector, EXT";
  m.bus.poke<u64>(kIdt + 0x31 * 8, pack_gate(kCode0, 0x6000, kInterruptGate32, 0) & ~(u64{1} << 47));
  ASSERT_TRUE(deliver(m.core, interrupt(0x31)));
  EXPECT_EQ(m.core.s.rip, 0x7100u);
  EXPECT_EQ(m.stack<u32>(0), 0x31 * 8 + 3u);
}

TEST(DeliverProtected, contributory_faults_give_a_double_fault_and_a_third_a_shutdown) {
  Protected32 m;
  m.gate(DF_, 0x7800);
  ASSERT_TRUE(deliver(m.core, exception(GP, 0)));  // no #GP gate: #GP again
  EXPECT_EQ(m.core.s.rip, 0x7800u);
  EXPECT_EQ(m.stack<u32>(0), 0u);
  m.gate(DF_, 0, 0);
  EXPECT_FALSE(deliver(m.core, exception(GP, 0)));
  EXPECT_EQ(m.core.fault.stop, Stop::shutdown);
}

TEST(DeliverProtected, page_fault_payload_reaches_cr2) {
  Protected32 m;
  m.gate(PF_, 0x7000);
  Event event = exception(PF_, 2);
  event.has_payload = true;
  event.payload = 0xdead000;
  ASSERT_TRUE(deliver(m.core, event));
  EXPECT_EQ(m.core.s.cr2, 0xdead000u);
}

TEST(DeliverProtected, virtual_8086_frame_holds_all_segments) {
  Protected32 m;
  m.gate(GP, 0x7000);
  m.enter_ring3();
  m.core.set_rflags(VM | IF | IOPL | kFlagsFixedOne);
  for (u16 i = 0; i < 6; ++i) {
    Segment& s = m.core.s.seg[i];
    s = Segment{.base = u64(0x100 + i) << 4, .limit_bytes = 0xffff, .selector = u16(0x100 + i), .attributes = 0xf3};
  }
  m.core.s.gpr[RSP] = 0x1000;
  m.core.mode_changed();
  ASSERT_TRUE(deliver(m.core, exception(GP, 0)));
  const u32 expect[] = {0, 0x5000, 0x101, VM | IF | IOPL | RF | 2, 0x1000, 0x102, 0x100, 0x103, 0x104, 0x105};
  for (unsigned i = 0; i < std::size(expect); ++i) EXPECT_EQ(m.stack<u32>(i), expect[i]) << i;
  EXPECT_EQ(m.core.s.cpl, 0);
  EXPECT_TRUE(m.core.s.seg[DS].unusable);
  EXPECT_FALSE(m.core.is_v86());
}

TEST(DeliverLong, frame_is_aligned_and_always_holds_the_stack) {
  Long64 m;
  m.gate(PF_, 0x6000);
  m.core.s.gpr[RSP] = kStack0 + 8;
  ASSERT_TRUE(deliver(m.core, exception(PF_, 6)));
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 48);
  const u64 expect[] = {6, 0x5000, kCode0, RF | 2, kStack0 + 8, kData0};
  for (unsigned i = 0; i < std::size(expect); ++i) EXPECT_EQ(m.stack<u64>(i), expect[i]) << i;
  EXPECT_EQ(m.core.s.seg[SS].selector, kData0) << "SS stays without a change of privilege";
}

TEST(DeliverLong, privilege_change_gives_a_null_ss) {
  Long64 m;
  m.enter_ring3();
  m.gate(0x30, 0x6000);
  ASSERT_TRUE(deliver(m.core, interrupt(0x30)));
  EXPECT_EQ(m.core.s.cpl, 0);
  EXPECT_EQ(m.core.s.seg[SS].selector, 0);
  EXPECT_EQ(m.core.s.gpr[RSP], kStack0 - 40);
  EXPECT_EQ(m.stack<u64>(4), kData3 | 3u);
}

TEST(DeliverLong, ist_replaces_the_stack_at_any_privilege) {
  Long64 m;
  m.gate(NMI, 0x6000, kInterruptGate32, kCode0, 0, 1);
  ASSERT_TRUE(deliver(m.core, {.kind = Event::Kind::nmi, .vector = NMI}));
  EXPECT_EQ(m.core.s.gpr[RSP], 0xa000u - 40);
  EXPECT_TRUE(m.core.s.nmi_blocked);
}

TEST(DeliverLong, sixteen_bit_gates_and_32_bit_code_are_refused) {
  Long64 m;
  m.gate(GP, 0x7000);
  m.gate(0x30, 0x6000, kInterruptGate16);
  ASSERT_TRUE(deliver(m.core, interrupt(0x30)));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.stack<u64>(0), 0x30 * 8 + 3u);
  m.descriptor(kFree, 0x00cf9b000000ffff);
  m.gate(0x31, 0x6000, kInterruptGate32, kFree);
  ASSERT_TRUE(deliver(m.core, interrupt(0x31)));
  EXPECT_EQ(m.stack<u64>(0), kFree | 1u);
}

TEST(DeliverLong, a_page_fault_on_the_new_stack_is_a_double_fault_after_a_page_fault) {
  Long64 m;
  m.gate(PF_, 0x6000);
  m.gate(DF_, 0x7000, kInterruptGate32, kCode0, 0, 1);
  m.core.s.gpr[RSP] = 0x40000000;
  ASSERT_TRUE(deliver(m.core, exception(PF_, 0)));
  EXPECT_EQ(m.core.s.rip, 0x7000u);
  EXPECT_EQ(m.core.s.cr2, 0x3ffffff8u);
}

TEST(Combine, follows_the_table_of_the_manual) {
  EXPECT_EQ(combine(exception(GP), exception(GP)), Outcome::double_fault);
  EXPECT_EQ(combine(exception(GP), exception(PF_)), Outcome::second);
  EXPECT_EQ(combine(exception(PF_), exception(GP)), Outcome::double_fault);
  EXPECT_EQ(combine(exception(PF_), exception(PF_)), Outcome::double_fault);
  EXPECT_EQ(combine(exception(UD), exception(GP)), Outcome::second);
  EXPECT_EQ(combine(interrupt(GP), exception(GP)), Outcome::second);
  EXPECT_EQ(combine(soft(PF_), exception(PF_)), Outcome::second);
  EXPECT_EQ(combine(exception(DF_), exception(GP)), Outcome::shutdown);
  EXPECT_EQ(combine(exception(GP), exception(DB)), Outcome::second);
}

}  // namespace
}  // namespace mock::cpu
