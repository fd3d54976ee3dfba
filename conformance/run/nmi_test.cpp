// KVM_NMI without an in-kernel irqchip: delivery through vector 2, blocking until IRET, one pending. api.rst 4.64.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

constexpr auto send = [](Machine& m) { m.t.must(m.vcpu().nmi()); };
constexpr Needs kNeeds = {.cap = Cap::UserNmi};

constexpr auto window = [] { return exits_with(kvmapi::Exit::IrqWindowOpen); };
constexpr auto ask_for_window = [](Machine& m) { m.page().request_interrupt_window = 1; };
constexpr auto stop_asking = [](Machine& m) { m.page().request_interrupt_window = 0; };

// Goes on behind the first HLT without the handler's IRET.
constexpr auto leave_handler = [](Machine& m) {
  auto regs = m.t.must(m.vcpu().get_regs());
  regs.rip = m.at("after");
  m.t.must(m.vcpu().set_regs(regs));
};
constexpr auto clear_events = [](Machine& m) {
  auto events = m.t.must(m.vcpu().get_vcpu_events());
  EXPECT_EQ(events.nmi.pending, 1);
  EXPECT_EQ(events.nmi.masked, 1);
  events.nmi.pending = events.nmi.masked = 0;
  m.t.must(m.vcpu().set_vcpu_events(events));
};

constexpr GuestCase kRows[] = {
    {.name = "runs_the_handler_of_vector_2",
     .guest = Guest::hlt,
     .prepare = send,
     .exits = {taken(2)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.frame(2).rip, guests::kLoad); }},
    {.name = "returns_to_the_guest",
     .guest = Guest::hlt,
     .prepare = send,
     .exits = {taken(2), hlt().at("after")},
     .needs = kNeeds},
    {.name = "ignores_a_clear_if",
     .guest = Guest::hlt,
     .start = {.rflags = 2},
     .prepare = send,
     .exits = {taken(2)},
     .needs = kNeeds},
    {.name = "wakes_a_halted_guest",
     .guest = Guest::hlt,
     .exits = {hlt().then(send), taken(2), hlt().at("after_second")},
     .needs = kNeeds},
    {.name = "sent_while_a_device_read_waits_is_taken_after_it",
     .guest = Guest::mmio_read_byte,
     .exits = {mmio_read(guests::kMmioBase + 0x10, "\x11").then(send), taken(2), hlt()},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.regs().rax & 0xff, 0x11u); }},
    {.name = "sent_inside_the_handler_waits_for_its_iret",
     .guest = Guest::hlt,
     .prepare = send,
     .exits = {taken(2).then(send), taken(2), hlt().at("after")},
     .needs = kNeeds},
    {.name = "sent_many_times_inside_the_handler_comes_once",
     .guest = Guest::hlt,
     .prepare = send,
     .exits = {taken(2).then([](Machine& m) {
                 for (int i = 0; i < 5; ++i) send(m);
               }),
               taken(2), hlt().at("after"), hlt().at("after_second")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "held_back_by_its_handler_and_taken_away_never_comes",
     .guest = Guest::hlt,
     .prepare = send,
     .exits = {taken(2).then([](Machine& m) {
                 send(m);
                 leave_handler(m);
               }),
               hlt().at("after_second").then([](Machine& m) {
                 clear_events(m);
                 leave_handler(m);
               }),
               hlt().at("after_second")},
     .needs = {.cap = {Cap::UserNmi, Cap::VcpuEvents}}},
    {.name = "sent_with_a_request_for_a_window_comes_first",
     .guest = Guest::hlt,
     .start = {.rflags = 2 | 0x200},
     .prepare =
         [](Machine& m) {
           send(m);
           ask_for_window(m);
         },
     .exits = {taken(2), window().at(guests::kLoad).then(stop_asking), hlt().at("after")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "held_back_by_its_handler_lets_an_open_window_exit_first",
     .guest = Guest::hlt,
     .start = {.rflags = 2 | 0x200},
     .prepare = send,
     .exits = {taken(2).then([](Machine& m) {
                 send(m);
                 ask_for_window(m);
               }),
               window().at(guests::kLoad).then(stop_asking), taken(2), hlt().at("after")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "held_back_by_its_handler_ends_a_step_where_that_returns_to",
     .guest = Guest::hlt,
     .prepare =
         [](Machine& m) {
           send(m);
           m.t.must(m.vcpu().set_guest_debug({.control = kvmapi::kGuestdbgEnable | kvmapi::kGuestdbgSinglestep}));
         },
     .exits = {taken(2).then(send), exits_with(kvmapi::Exit::Debug).at(guests::kLoad).then([](Machine& m) {
                 EXPECT_EQ(m.t.must(m.vcpu().get_vcpu_events()).nmi.pending, 1);
               }),
               taken(2)},
     .needs = kNeeds,
     .status = Abi::observed},
};
KVM_ROWS("run.nmi", "api.rst 4.64: KVM_NMI", kRows);

constexpr kvmapi::u64 kTf = 0x100, kRf = 0x10000;

// The handler's IRET returns to an open interrupt window with TF and RF set. What is left of them there.
kvmapi::u64 flags_at_window_after_iret(Machine& m, bool holds_back_another) {
  send(m);
  EXPECT_TRUE(run_to_exit(m, taken(2), __FILE__, __LINE__));
  if (holds_back_another) send(m);
  ask_for_window(m);
  const kvmapi::u64 saved_flags = m.regs().rsp + 16;
  m.poke<kvmapi::u64>(saved_flags, m.peek<kvmapi::u64>(saved_flags) | kTf | kRf);
  EXPECT_TRUE(run_to_exit(m, window().at(guests::kLoad), __FILE__, __LINE__));
  return m.regs().rflags & (kTf | kRf);
}

KVM_TEST("run.nmi", "iret_to_an_open_window_loads_tf_and_rf", "APM vol. 2, 3.1.6", {.needs = kNeeds})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64, {.rflags = 2 | 0x200});
  EXPECT_EQ(flags_at_window_after_iret(m, false), kTf | kRf);
}

KVM_TEST("run.nmi", "held_back_takes_tf_and_rf_from_the_iret_that_lets_it_in", "kvm_amd: disable_nmi_singlestep()",
         {.needs = {.cap = Cap::UserNmi, .vendor = Vendor::amd}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64, {.rflags = 2 | 0x200});
  EXPECT_EQ(flags_at_window_after_iret(m, true), 0u);
}

KVM_TEST("run.nmi", "waits_for_the_end_of_the_shadow_of_sti", "kvm_amd: svm_nmi_blocked()",
         {.needs = {.cap = {Cap::UserNmi, Cap::VcpuEvents}, .vendor = Vendor::amd}, .status = Abi::observed})
(Ctx& t) {
  constexpr kvmapi::u8 kShadowOfSti = 2;
  Machine m(t, Guest::out_sti_nop_nop, Mode::long64);
  m.change([&](kvmapi::kvm_regs& r) { r.rip = m.at("shadow"); });
  auto events = t.must(m.vcpu().get_vcpu_events());
  events.flags |= kvmapi::kVcpueventValidShadow;
  events.interrupt.shadow = kShadowOfSti;
  t.must(m.vcpu().set_vcpu_events(events));
  send(m);
  ASSERT_TRUE(run_to_exit(m, taken(2), __FILE__, __LINE__));
  EXPECT_EQ(m.frame(2).rip, m.at("open"));
}

KVM_TEST("run.nmi", "shows_in_the_vcpu_events", "api.rst 4.31", {.needs = {.cap = {Cap::UserNmi, Cap::VcpuEvents}}})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  EXPECT_EQ(t.must(m.vcpu().get_vcpu_events()).nmi.masked, 0);
  t.must(m.vcpu().nmi());
  EXPECT_EQ(t.must(m.vcpu().get_vcpu_events()).nmi.pending, 1);
  ASSERT_TRUE(run_to_exit(m, taken(2), __FILE__, __LINE__));
  EXPECT_EQ(t.must(m.vcpu().get_vcpu_events()).nmi.pending, 0);
  EXPECT_EQ(t.must(m.vcpu().get_vcpu_events()).nmi.masked, 1);
  ASSERT_TRUE(run_to_exit(m, hlt().at("after"), __FILE__, __LINE__));
  EXPECT_EQ(t.must(m.vcpu().get_vcpu_events()).nmi.masked, 0);
}

}  // namespace
}  // namespace conformance
