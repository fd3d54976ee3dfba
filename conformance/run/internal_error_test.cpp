// KVM_EXIT_INTERNAL_ERROR, suberror 1 (emulation failure): an instruction that KVM must emulate and cannot.
// api.rst 7.27 and struct emulation_failure in linux/kvm.h.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr kvmapi::u32 kEmulation = kvmapi::kInternalErrorEmulation;
constexpr kvmapi::u64 kInsnBytesFlag = kvmapi::kInternalErrorEmulationFlagInstructionBytes;

constexpr GuestCase kRows[] = {
    {.name = "instruction_the_emulator_lacks_on_mmio_exits",
     .guest = Guest::mmio_fnsave,
     .exits = {internal_error(kEmulation).at("the_access")},
     .status = Abi::observed},
    {.name = "code_fetch_from_a_hole_exits",
     .guest = Guest::jump_to_hole,
     .exits = {internal_error(kEmulation)},
     .status = Abi::observed},
    {.name = "code_fetch_from_a_hole_by_ring_3_is_an_invalid_opcode",
     .guest = Guest::user_jump_to_hole,
     .exits = {taken(6)},
     .check =
         [](Machine& m) {
           const auto frame = m.frame(6);
           EXPECT_EQ(frame.rip, guests::kMmioBase + 0x10);
           EXPECT_EQ(frame.cs, guests::kUserCs);
         },
     .status = Abi::observed,
     .source = "handle_emulation_failure: user space is told of what ring 0 does alone"},
    {.name = "vcpu_without_memory_at_its_code_stays_where_it_is",
     .guest = Guest::hlt,
     .modes = {Mode::prot32, Mode::long64},
     .start = {.rip = guests::kMmioBase},
     .exits = {internal_error(kEmulation).at(guests::kMmioBase)},
     .status = Abi::observed},
};
KVM_ROWS("run.internal_error", "api.rst 7.27: KVM_CAP_EXIT_ON_EMULATION_FAILURE", kRows);

KVM_TEST("run.internal_error", "re_run_without_the_capability_meets_an_invalid_opcode", "handle_emulation_failure",
         {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_fnsave, Mode::long64);
  ASSERT_TRUE(run_to_exit(m, internal_error(kEmulation), __FILE__, __LINE__));
  EXPECT_TRUE(run_to_exit(m, taken(6), __FILE__, __LINE__));
  EXPECT_EQ(m.frame(6).rip, m.at("the_access"));
}

KVM_TEST("run.internal_error", "carries_no_data_before_5_16", "struct emulation_failure",
         {.needs = {.kernel_before = {5, 16}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::mmio_fnsave, Mode::long64);
  ASSERT_TRUE(run_to_exit(m, internal_error(kEmulation), __FILE__, __LINE__));
  EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_internal>().ndata, 0u);
}

KVM_TEST("run.internal_error", "carries_the_instruction_bytes", "struct emulation_failure",
         {.needs = {.kernel = {5, 16}}})
(Ctx& t) {
  Machine m(t, Guest::mmio_fnsave, Mode::long64);
  ASSERT_TRUE(run_to_exit(m, internal_error(kEmulation), __FILE__, __LINE__));
  const auto failure = m.page().exit.as<kvmapi::kvm_exit_emulation_failure>();
  EXPECT_GE(failure.ndata, 3u) << "flags and two words of bytes";
  ASSERT_EQ(failure.flags & kInsnBytesFlag, kInsnBytesFlag);
  ASSERT_LE(failure.insn_size, 15);
  const auto code = guests::code(Guest::mmio_fnsave, Mode::long64);
  const std::size_t length = m.at("after") - m.at("the_access");
  ASSERT_GE(failure.insn_size, length);
  EXPECT_EQ(std::memcmp(failure.insn_bytes.data(), code.data() + (m.at("the_access") - guests::kLoad), length), 0);
}

KVM_TEST("run.internal_error", "with_the_capability_queues_no_exception", "api.rst 7.27",
         {.needs = {.vm_cap = Cap::ExitOnEmulationFailure}})
(Ctx& t) {
  Machine m(t, Guest::mmio_fnsave, Mode::long64);
  t.must(t.vm().enable_cap(Cap::ExitOnEmulationFailure, 1));
  ASSERT_TRUE(run_to_exit(m, internal_error(kEmulation).at("the_access"), __FILE__, __LINE__));
  // User space emulates: it steps over the instruction.
  m.change([&](kvmapi::kvm_regs& r) { r.rip = m.at("after"); });
  EXPECT_TRUE(run_to_exit(m, hlt().at("after_hlt"), __FILE__, __LINE__));
}

}  // namespace
}  // namespace conformance
