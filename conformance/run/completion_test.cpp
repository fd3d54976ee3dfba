// Finishing an exit: the instruction that exited completes on the next KVM_RUN, before immediate_exit and signals are
// looked at. api.rst section 5: "operations are complete (and guest state is consistent) only after userspace has
// re-entered the kernel with KVM_RUN. The kernel side will first finish incomplete operations and then check for
// pending signals."
#include "conformance/run/threads.hpp"
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using guests::kMmioBase;
constexpr kvmapi::u64 kAt = kMmioBase + 0x10;

constexpr auto leave_at_once = [](Machine& m) { m.page().immediate_exit = 1; };
constexpr auto run_on = [](Machine& m) { m.page().immediate_exit = 0; };
constexpr auto rax_is_old = [](Machine& m) { EXPECT_EQ(m.regs().rax, 0x55555555u); };

constexpr GuestCase kByImmediateExit[] = {
    {.name = "in_delivers_its_data",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then(leave_at_once), run_fails(EINTR)},
     .finish = {.rax = 0x55555542}},
    {.name = "in_leaves_rip_after_the_instruction",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then(leave_at_once), run_fails(EINTR).at("after").then(run_on),
               hlt().at("after_hlt")}},
    {.name = "out_leaves_rip_after_the_instruction",
     .guest = Guest::out_byte,
     .exits = {io_out(0x10, 1, "\x42").then(leave_at_once), run_fails(EINTR).at("after").then(run_on),
               hlt().at("after_hlt")}},
    {.name = "mmio_read_delivers_its_data",
     .guest = Guest::mmio_read_dword,
     .exits = {mmio_read(kAt, "\x44\x33\x22\x11").then(leave_at_once), run_fails(EINTR).at("after")},
     .finish = {.rax = 0x11223344}},
    {.name = "mmio_write_is_done",
     .guest = Guest::mmio_write_dword,
     .exits = {mmio_write(kAt, "\x44\x33\x22\x11").then(leave_at_once), run_fails(EINTR).at("after")}},
    {.name = "insb_stores_its_data",
     .guest = Guest::insb,
     .start = {.rdi = kData},
     .exits = {io_in(0x20, 1, "a").then(leave_at_once), run_fails(EINTR).at("after")},
     .finish = {.rdi = kData + 1},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 1), "a"); }},
    // What is left to do needs user space again: that wins over immediate_exit.
    {.name = "read_modify_write_exits_for_its_write",
     .guest = Guest::mmio_add,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(40)).then(leave_at_once),
               mmio_write(kAt, Bytes::of<kvmapi::u32>(42)), run_fails(EINTR).at("after").then(run_on), hlt()},
     .status = Abi::observed},
    {.name = "second_fragment_of_a_write_exits",
     .guest = Guest::mmio_write_crossing,
     .exits = {mmio_write(kMmioBase + 0xffe, "\x44\x33").then(leave_at_once),
               mmio_write(kMmioBase + 0x1000, "\x22\x11"), run_fails(EINTR).at("after")},
     .status = Abi::observed},
    {.name = "second_fragment_of_a_read_exits",
     .guest = Guest::mmio_read_crossing,
     .exits = {mmio_read(kMmioBase + 0xffe, "\x44\x33").then(leave_at_once), mmio_read(kMmioBase + 0x1000, "\x22\x11"),
               run_fails(EINTR).at("after")},
     .finish = {.rax = 0x11223344},
     .status = Abi::observed},
};
KVM_ROWS("run.completion_by_immediate_exit", "api.rst 5: operations are complete only after re-entry",
         kByImmediateExit);

constexpr GuestCase kByRun[] = {
    {.name = "in_changes_no_register_before",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then(rax_is_old), hlt()},
     .finish = {.rax = 0x55555542},
     .status = Abi::observed},
    {.name = "mmio_read_changes_no_register_before",
     .guest = Guest::mmio_read_dword,
     .exits = {mmio_read(kAt, "\x44\x33\x22\x11").then(rax_is_old), hlt()},
     .finish = {.rax = 0x11223344},
     .status = Abi::observed},
    {.name = "insb_stores_nothing_before",
     .guest = Guest::insb,
     .start = {.rdi = kData},
     .exits = {io_in(0x20, 1, "a").then([](Machine& m) { EXPECT_EQ(m.text_at(kData, 1), std::string("\0", 1)); }),
               hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 1), "a"); },
     .status = Abi::observed},
    {.name = "in_merges_into_registers_set_at_the_exit",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then([](Machine& m) {
                 m.change([](kvmapi::kvm_regs& r) { r.rax = 0xaaaaaaaa; });
               }),
               hlt()},
     .finish = {.rax = 0xaaaaaa42},
     .status = Abi::observed},
    {.name = "set_regs_at_an_out_exit_reaches_the_guest",
     .guest = Guest::out_byte,
     .exits = {io_out(0x10, 1, "\x42").then([](Machine& m) { m.change([](kvmapi::kvm_regs& r) { r.rbx = 0x1234; }); }),
               hlt()},
     .finish = {.rax = 0x42, .rbx = 0x1234}},
    {.name = "rip_changed_at_an_in_exit_drops_the_completion",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then([](Machine& m) {
                 m.poke<kvmapi::u8>(kData + 0x100, 0xf4);
                 m.change([](kvmapi::kvm_regs& r) { r.rip = kData + 0x100; });
               }),
               hlt().at(kData + 0x101)},
     .finish = {.rax = 0x55555555},
     .status = Abi::observed},
    {.name = "rip_changed_at_an_out_exit_is_not_advanced",
     .guest = Guest::out_byte,
     .exits = {io_out(0x10, 1, "\x42").then([](Machine& m) {
                 m.poke<kvmapi::u8>(kData + 0x100, 0xf4);
                 m.change([](kvmapi::kvm_regs& r) { r.rip = kData + 0x100; });
               }),
               hlt().at(kData + 0x101)},
     .status = Abi::observed},
    {.name = "answer_to_an_exit_is_taken_once",
     .guest = Guest::in_then_out,
     .exits = {io_in(0x10, 1, "\x21"), io_out(0x11, 1, "\x21"), hlt()}},
    {.name = "set_to_the_same_registers_changes_nothing",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").then([](Machine& m) { m.set(m.regs()); }), hlt().at("after_hlt")},
     .finish = {.rax = 0x55555542},
     .status = Abi::observed},
};
KVM_ROWS("run.completion", "api.rst 5: operations are complete only after re-entry", kByRun);

KVM_TEST("run.completion_by_signal", "in_delivers_its_data_before_the_signal_ends_run",
         "api.rst 5: userspace can re-enter the guest with an unmasked signal pending to complete pending operations")
(Ctx& t) {
  Machine m(t, Guest::in_byte, Mode::long64);
  BlockedSignal blocked(SIGUSR1);
  ASSERT_TRUE(run_to_exit(m, io_in(0x10, 1, "\x42"), __FILE__, __LINE__));
  const kvmapi::SignalMask mask(8);
  t.must(m.vcpu().set_signal_mask(&mask));
  raise(SIGUSR1);
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.reason(), kvmapi::Exit::Intr);
  EXPECT_EQ(m.regs().rax, 0x55555542u);
  EXPECT_EQ(m.regs().rip, m.at("after"));
}

KVM_TEST("run.completion_by_signal", "mmio_read_delivers_its_data_before_the_signal_ends_run",
         "api.rst 5: userspace can re-enter the guest with an unmasked signal pending to complete pending operations")
(Ctx& t) {
  Machine m(t, Guest::mmio_read_dword, Mode::long64);
  BlockedSignal blocked(SIGUSR1);
  ASSERT_TRUE(run_to_exit(m, mmio_read(kAt, "\x44\x33\x22\x11"), __FILE__, __LINE__));
  const kvmapi::SignalMask mask(8);
  t.must(m.vcpu().set_signal_mask(&mask));
  raise(SIGUSR1);
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.regs().rax, 0x11223344u);
  EXPECT_EQ(m.regs().rip, m.at("after"));
}

KVM_TEST("run.out", "port_7e_is_as_any_port_without_its_quirk", "api.rst 7.31",
         {.needs = {.cap = Cap::DisableQuirks2}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::out_7e, Mode::long64);
  t.must(t.vm().enable_cap(Cap::DisableQuirks2, kvmapi::kX86QuirkOut7eIncRip));
  EXPECT_TRUE(run_to_exit(m, io_out(0x7e, 1, "\x42").at("the_out"), __FILE__, __LINE__));
  EXPECT_TRUE(run_to_exit(m, hlt().at("after_hlt"), __FILE__, __LINE__));
}

}  // namespace
}  // namespace conformance
