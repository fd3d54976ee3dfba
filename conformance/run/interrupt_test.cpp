// Interrupts without an in-kernel irqchip: KVM_INTERRUPT (api.rst 4.16), request_interrupt_window,
// ready_for_interrupt_injection and if_flag (section 5), and the one-instruction shadow after STI and MOV SS.
#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr kvmapi::u64 kIf = 0x200;
constexpr unsigned kVector = 0x31;

constexpr auto ask_for_window = [](Machine& m) { m.page().request_interrupt_window = 1; };
constexpr auto inject = [](Machine& m) { m.t.must(m.vcpu().interrupt(kVector)); };
constexpr auto is_ready = [](Machine& m) {
  EXPECT_EQ(m.page().ready_for_interrupt_injection, 1);
  EXPECT_EQ(m.page().if_flag, 1);
};
constexpr auto is_closed = [](Machine& m) {
  EXPECT_EQ(m.page().ready_for_interrupt_injection, 0);
  EXPECT_EQ(m.page().if_flag, 0);
};
constexpr auto window = [] { return exits_with(Exit::IrqWindowOpen); };

constexpr GuestCase kWindow[] = {
    {.name = "open_from_the_start_exits_at_once",
     .guest = Guest::count_forever,
     .start = {.rflags = 2 | kIf},
     .prepare = ask_for_window,
     .exits = {window().at(guests::kLoad).then(is_ready)},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<kvmapi::u32>(guests::kData), 0u) << "no instruction ran"; },
     .status = Abi::observed},
    {.name = "exits_again_while_the_request_stays",
     .guest = Guest::count_forever,
     .start = {.rflags = 2 | kIf},
     .prepare = ask_for_window,
     .exits = {window(), window(), window()}},
    {.name = "opened_by_sti_exits_after_its_shadow",
     .guest = Guest::out_sti_nop_nop,
     .prepare = ask_for_window,
     .exits = {io_out(0x10, 1, Bytes::of<kvmapi::u8>(0)).then(is_closed), window().at("open").then(is_ready)}},
    {.name = "opened_by_popf_exits_after_it",
     .guest = Guest::out_pop_flags_nop,
     .prepare = ask_for_window,
     .exits = {io_out(0x10, 1, Bytes::of<kvmapi::u8>(0)).then(is_closed), window().at("open").then(is_ready)},
     .status = Abi::observed},
    {.name = "not_asked_for_does_not_exit",
     .guest = Guest::out_sti_nop_nop,
     .exits = {io_out(0x10, 1, Bytes::of<kvmapi::u8>(0)).then(is_closed), hlt().then(is_ready)}},
};
KVM_ROWS("run.interrupt_window", "api.rst 5: request_interrupt_window", kWindow);

constexpr GuestCase kFlag[] = {
    {.name = "follows_a_set_if",
     .guest = Guest::out_byte,
     .start = {.rflags = 2 | kIf},
     .exits = {io_out(0x10, 1, "\x42").then(is_ready)}},
    {.name = "follows_a_clear_if", .guest = Guest::out_byte, .exits = {io_out(0x10, 1, "\x42").then(is_closed)}},
};
KVM_ROWS("run.if_flag", "api.rst 5: if_flag", kFlag);

KVM_TEST("run.ready_for_interrupt_injection", "is_clear_while_an_interrupt_waits",
         "api.rst 5: ready_for_interrupt_injection", {.needs = {.cap = Cap::ImmediateExit}})
(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64, {.rflags = 2 | kIf});
  m.page().immediate_exit = 1;
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.page().ready_for_interrupt_injection, 1) << "the guest would take one";
  inject(m);
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.page().ready_for_interrupt_injection, 0) << "one is on its way";
}

KVM_TEST("run.ready_for_interrupt_injection", "is_set_with_an_in_kernel_irqchip", "kvm post_kvm_run_save",
         {.needs = {.cap = {Cap::Irqchip, Cap::ImmediateExit}}, .status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::count_forever, Mode::long64);
  m.page().immediate_exit = 1;
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.regs().rflags & kIf, 0u);
  EXPECT_EQ(m.page().ready_for_interrupt_injection, 1) << "whatever IF says";
}

// The interrupt frame holds where the guest was; its handler halts and returns.
constexpr GuestCase kInterrupt[] = {
    {.name = "runs_the_handler_of_its_vector",
     .guest = Guest::count_forever,
     .start = {.rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(kVector).rip, guests::kLoad);
           EXPECT_EQ(m.frame(kVector).rflags & (2 | kIf), 2 | kIf);
           EXPECT_EQ(m.regs().rflags & kIf, 0u) << "an interrupt gate clears IF";
         }},
    {.name = "returns_to_the_guest",
     .guest = Guest::hlt_with_interrupts,
     .start = {.rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector), hlt().at("after")},
     .finish = {.rsp = guests::kStackTop}},
    {.name = "at_a_window_goes_in_where_the_window_was",
     .guest = Guest::out_sti_nop_nop,
     .prepare = ask_for_window,
     .exits = {io_out(0x10, 1, Bytes::of<kvmapi::u8>(0)), window().then([](Machine& m) {
                 inject(m);
                 m.page().request_interrupt_window = 0;
               }),
               taken(kVector)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(kVector).rip, m.at("open")); }},
    {.name = "wakes_a_halted_guest",
     .guest = Guest::sti_hlt,
     .exits = {hlt().at("after").then(inject), taken(kVector)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(kVector).rip, m.at("after")); }},
    {.name = "queued_while_an_io_exit_waits_is_taken_after_it",
     .guest = Guest::out_byte,
     .start = {.rflags = 2 | kIf},
     .exits = {io_out(0x10, 1, "\x42").then(inject), taken(kVector)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(kVector).rip, m.at("after")); }},
    {.name = "queued_while_a_device_read_waits_is_taken_after_it",
     .guest = Guest::mmio_read_byte,
     .start = {.rflags = 2 | kIf},
     .exits = {mmio_read(guests::kMmioBase + 0x10, "\x11").then(inject), taken(kVector)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(kVector).rip, m.at("after")); }},
    {.name = "between_device_reads_of_a_repetition_waits_for_its_end",
     .guest = Guest::mmio_rep_movsb_in,
     .start = {.rflags = 2 | kIf},
     .exits = {mmio_read(guests::kMmioBase + 0x10, "a").then(inject), mmio_read(guests::kMmioBase + 0x11, "b"),
               mmio_read(guests::kMmioBase + 0x12, "c"), taken(kVector)},
     .finish = {.rcx = 0},
     .status = Abi::observed},
    {.name = "between_device_writes_of_a_repetition_is_taken_with_rf",
     .guest = Guest::mmio_rep_stosb,
     .modes = {Mode::prot32, Mode::paged32, Mode::long64},  // 16-bit frames have no RF
     .start = {.rflags = 2 | kIf},
     .exits = {mmio_write(guests::kMmioBase + 0x10, "\x77").then(inject), taken(kVector)},
     .finish = {.rcx = 2},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(kVector).rflags & 0x10000, 0x10000u); },
     .status = Abi::observed},
    {.name = "in_real_mode_pushes_three_words",
     .guest = Guest::count_forever,
     .modes = Mode::real,
     .start = {.rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector)},
     .finish = {.rsp = guests::kStackTop - 6}},
    {.name = "in_protected_mode_pushes_three_dwords",
     .guest = Guest::count_forever,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32},
     .start = {.rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector)},
     .finish = {.rsp = guests::kStackTop - 12}},
    {.name = "in_long_mode_pushes_five_quadwords",
     .guest = Guest::count_forever,
     .modes = Mode::long64,
     .start = {.rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector)},
     .finish = {.rsp = guests::kStackTop - 40}},
    {.name = "in_long_mode_aligns_the_stack_to_16_bytes",
     .guest = Guest::count_forever,
     .modes = Mode::long64,
     .start = {.rsp = guests::kStackTop - 5, .rflags = 2 | kIf},
     .prepare = inject,
     .exits = {taken(kVector)},
     .finish = {.rsp = guests::kStackTop - 16 - 40}},
};
KVM_ROWS("run.interrupt", "api.rst 4.16: KVM_INTERRUPT", kInterrupt);

KVM_TEST("run.interrupt_window", "closed_by_a_clear_if_does_not_exit", "api.rst 5: request_interrupt_window")(Ctx& t) {
  Machine m(t, Guest::cli_spin, Mode::long64);
  m.page().request_interrupt_window = 1;
  CountedSignal signal(SIGUSR1);
  Meanwhile kicker([&] { return watch(m, guests::kData) > 1000; },
                   [thread = pthread_self()] { pthread_kill(thread, SIGUSR1); });
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_FALSE(kicker.is_late());
  EXPECT_EQ(m.reason(), Exit::Intr);
  is_closed(m);
}

KVM_TEST("run.interrupt_window", "in_a_running_guest_exits", "api.rst 5: request_interrupt_window")(Ctx& t) {
  Machine m(t, Guest::sti_spin, Mode::long64);
  m.page().request_interrupt_window = 1;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::IrqWindowOpen);
  is_ready(m);
}

// OUT leaves user space a moment to set IF: the next instruction is MOV SS, and the window opens one instruction later.
KVM_TEST("run.interrupt_window", "vcpu_events_show_the_shadow_of_sti", "api.rst 4.31: interrupt.shadow",
         {.needs = {.cap = Cap::VcpuEvents}})
(Ctx& t) {
  Machine m(t, Guest::out_sti_nop_nop, Mode::long64);
  auto events = t.must(m.vcpu().get_vcpu_events());
  EXPECT_EQ(events.interrupt.shadow, 0);
  events.flags = kvmapi::kVcpueventValidShadow;
  events.interrupt.shadow = 1;
  m.change([&](kvmapi::kvm_regs& r) {
    r.rip = m.at("shadow");
    r.rflags |= kIf;
  });
  t.must(m.vcpu().set_vcpu_events(events));
  EXPECT_NE(t.must(m.vcpu().get_vcpu_events()).interrupt.shadow, 0);
  m.page().request_interrupt_window = 1;
  EXPECT_TRUE(run_to_exit(m, exits_with(Exit::IrqWindowOpen).at("open"), __FILE__, __LINE__))
      << "the instruction in the shadow ran first";
}

KVM_TEST("run.interrupt", "of_a_vector_above_255_is_einval", "api.rst 4.16")(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  EXPECT_THAT(m.vcpu().interrupt(256), FailsWith(EINVAL));
}

KVM_TEST("run.interrupt", "shows_in_the_bitmap_of_get_sregs_until_it_is_taken", "api.rst 4.13")(Ctx& t) {
  Machine m(t, Guest::count_forever, Mode::long64, {.rflags = 2 | kIf});
  t.must(m.vcpu().interrupt(kVector));
  EXPECT_EQ(m.sregs().interrupt_bitmap[0], 1ull << kVector);
  ASSERT_TRUE(run_to_exit(m, taken(kVector), __FILE__, __LINE__));
  EXPECT_EQ(m.sregs().interrupt_bitmap[0], 0u);
}

}  // namespace
}  // namespace conformance
