// KVM_EXIT_HLT: HLT without an in-kernel LAPIC. With one, the vcpu blocks in the kernel and a signal ends the run.
#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr const char* kSource = "exits.def: KVM_EXIT_HLT";

constexpr GuestCase kHlt[] = {
    {.name = "exits", .guest = Guest::hlt, .exits = {hlt()}},
    {.name = "exits_with_rip_after_the_instruction",
     .guest = Guest::hlt,
     .exits = {hlt().at("after"), hlt().at("after_second")},
     .status = Abi::observed},
    {.name = "exits_again_each_time", .guest = Guest::hlt_forever, .exits = {hlt(), hlt(), hlt(), hlt()}},
    {.name = "leaves_registers_alone",
     .guest = Guest::hlt,
     .start = {.rax = 1, .rbx = 2, .rcx = 3, .rdx = 4, .rsi = 5, .rdi = 6, .rbp = 7},
     .exits = {hlt()},
     .finish = {.rax = 1, .rbx = 2, .rcx = 3, .rdx = 4, .rsi = 5, .rdi = 6, .rbp = 7, .rflags = 2}},
};
KVM_ROWS("run.hlt", kSource, kHlt);

// The set-ups with a LAPIC in the kernel.
void expect_hlt_blocks(Ctx& t, bool is_split) {
  if (is_split) {
    t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
  } else {
    t.must(t.vm().create_irqchip());
  }
  Machine m(t, Guest::count_then_hlt, Mode::long64);
  CountedSignal signal(SIGUSR1);
  // The guest has counted: its next instruction is HLT, and KVM_RUN must not come back because of it.
  Meanwhile kicker([&] { return watch(m, guests::kData) != 0; },
                   [thread = pthread_self()] { pthread_kill(thread, SIGUSR1); });
  EXPECT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_FALSE(kicker.is_late());
  EXPECT_EQ(m.reason(), Exit::Intr);
}

KVM_TEST("run.hlt", "blocks_with_an_in_kernel_irqchip", kSource, {.needs = {.cap = Cap::Irqchip}})(Ctx& t) {
  expect_hlt_blocks(t, false);
}
KVM_TEST("run.hlt", "blocks_with_a_split_irqchip", kSource, {.needs = {.cap = Cap::SplitIrqchip}})(Ctx& t) {
  expect_hlt_blocks(t, true);
}

KVM_TEST("run.hlt", "blocked_vcpu_wakes_up_for_an_nmi", kSource, {.needs = {.cap = {Cap::Irqchip, Cap::UserNmi}}})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  Machine m(t, Guest::hlt_with_interrupts, Mode::long64);
  // The NMI's handler is made to exit by a port write instead of a halt.
  const kvmapi::u8 out_al_0x10[] = {0xe6, 0x10};
  m.poke_text(guests::handler(2), std::string_view(reinterpret_cast<const char*>(out_al_0x10), 2));
  t.must(m.vcpu().nmi());
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.reason(), Exit::Io);
  EXPECT_EQ(m.regs().rip & ~3ull, guests::handler(2));
}

}  // namespace
}  // namespace conformance
