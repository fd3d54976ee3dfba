// kvm_run.kvm_valid_regs, kvm_dirty_regs and the sync area: registers without KVM_GET/SET ioctls. api.rst 6.74 and
// section 5.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_sync_regs;
using kvmapi::u64;

using kvmapi::kSyncX86Events;
using kvmapi::kSyncX86Regs;
using kvmapi::kSyncX86Sregs;
constexpr const char* kSource = "api.rst 6.74: KVM_CAP_SYNC_REGS";
constexpr TestOptions kOptions = {.needs = {.cap = Cap::SyncRegs}};

kvm_sync_regs area(const Machine& m) { return m.page().s.as<kvm_sync_regs>(); }

KVM_TEST("run.sync_regs", "capability_names_the_three_groups", kSource, kOptions)(Ctx& t) {
  EXPECT_THAT(t.system().check_extension(Cap::SyncRegs),
              Returns(static_cast<int>(kSyncX86Regs | kSyncX86Sregs | kSyncX86Events)));
}

KVM_TEST("run.sync_regs", "valid_general_registers_are_those_of_get_regs", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::long64, {.rbx = 0x1234, .r15 = 0x5678});
  m.page().kvm_valid_regs = kSyncX86Regs;
  ASSERT_THAT(m.run(), Returns(0));
  const auto regs = m.regs();
  const auto synced = area(m).regs;
  EXPECT_EQ(std::memcmp(&regs, &synced, sizeof regs), 0);
  EXPECT_EQ(synced.rbx, 0x1234u);
  EXPECT_EQ(synced.r15, 0x5678u);
}

KVM_TEST("run.sync_regs", "valid_special_registers_are_those_of_get_sregs", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::long64);
  m.page().kvm_valid_regs = kSyncX86Sregs;
  ASSERT_THAT(m.run(), Returns(0));
  const auto sregs = m.sregs();
  const auto synced = area(m).sregs;
  EXPECT_EQ(std::memcmp(&sregs, &synced, sizeof sregs), 0);
  EXPECT_EQ(synced.cr3, guests::kPml4);
}

KVM_TEST("run.sync_regs", "valid_events_are_those_of_get_vcpu_events", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::long64);
  m.page().kvm_valid_regs = kSyncX86Events;
  ASSERT_THAT(m.run(), Returns(0));
  const auto events = t.must(m.vcpu().get_vcpu_events());
  const auto synced = area(m).events;
  EXPECT_EQ(std::memcmp(&events, &synced, sizeof events), 0);
}

KVM_TEST("run.sync_regs", "groups_not_asked_for_are_not_written", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::long64);
  auto before = area(m);
  before.regs.rbx = 0xdead;
  before.sregs.cr3 = 0xbeef;
  m.page().s.set(before);
  m.page().kvm_valid_regs = kSyncX86Regs;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(area(m).regs.rbx, 0u);
  EXPECT_EQ(area(m).sregs.cr3, 0xbeefu);
}

KVM_TEST("run.sync_regs", "valid_bits_stay_set", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt_forever, Mode::real);
  m.page().kvm_valid_regs = kSyncX86Regs | kSyncX86Sregs;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().kvm_valid_regs, kSyncX86Regs | kSyncX86Sregs);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(area(m).regs.rip, m.regs().rip);
}

KVM_TEST("run.sync_regs", "dirty_general_registers_are_loaded_before_the_guest_runs", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  auto regs = m.regs();
  regs.rbx = 0x4711;
  regs.rip = m.at("after");
  m.page().s.set(kvm_sync_regs{.regs = regs});
  m.page().kvm_dirty_regs = kSyncX86Regs;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.regs().rbx, 0x4711u);
  EXPECT_EQ(m.regs().rip, m.at("after_second"));
}

KVM_TEST("run.sync_regs", "dirty_special_registers_are_loaded_before_the_guest_runs", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  auto sregs = m.sregs();
  sregs.cr2 = 0x123000;
  m.page().s.set(kvm_sync_regs{.sregs = sregs});
  m.page().kvm_dirty_regs = kSyncX86Sregs;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.sregs().cr2, 0x123000u);
}

KVM_TEST("run.sync_regs", "clean_groups_are_not_loaded", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64, {.rbx = 1});
  auto regs = m.regs();
  regs.rbx = 0x4711;
  m.page().s.set(kvm_sync_regs{.regs = regs});
  m.page().kvm_valid_regs = 0;
  m.page().kvm_dirty_regs = 0;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.regs().rbx, 1u);
}

KVM_TEST("run.sync_regs", "dirty_bits_are_cleared_by_run", kSource, {.needs = kOptions.needs, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  m.page().s.set(kvm_sync_regs{.regs = m.regs(), .sregs = m.sregs()});
  m.page().kvm_dirty_regs = kSyncX86Regs | kSyncX86Sregs;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().kvm_dirty_regs, 0u);
}

KVM_TEST("run.sync_regs", "dirty_registers_are_loaded_even_if_run_ends_at_once", "kvm_arch_vcpu_ioctl_run",
         {.needs = {.cap = {Cap::SyncRegs, Cap::ImmediateExit}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  auto regs = m.regs();
  regs.rbx = 0x4711;
  m.page().s.set(kvm_sync_regs{.regs = regs});
  m.page().kvm_dirty_regs = kSyncX86Regs;
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.regs().rbx, 0x4711u);
  EXPECT_EQ(m.page().kvm_dirty_regs, 0u);
}

KVM_TEST("run.sync_regs", "unknown_valid_bit_is_einval", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  for (const u64 bit : {3, 31}) {
    m.page().kvm_valid_regs = 1ull << bit;
    EXPECT_THAT(m.run(), FailsWith(EINVAL)) << bit;
  }
  m.page().kvm_valid_regs = 0;
  EXPECT_THAT(m.run(), Returns(0));
}

KVM_TEST("run.sync_regs", "unknown_dirty_bit_is_einval", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  for (const u64 bit : {3, 31}) {
    m.page().kvm_dirty_regs = 1ull << bit;
    EXPECT_THAT(m.run(), FailsWith(EINVAL)) << bit;
  }
  m.page().kvm_dirty_regs = 0;
  EXPECT_THAT(m.run(), Returns(0));
}

KVM_TEST("run.sync_regs", "unknown_bit_above_31_is_einval", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt_forever, Mode::real);
  m.page().kvm_valid_regs = 1ull << 32;
  EXPECT_THAT(m.run(), FailsWith(EINVAL));
  m.page().kvm_valid_regs = 0;
  m.page().kvm_dirty_regs = 1ull << 63;
  EXPECT_THAT(m.run(), FailsWith(EINVAL));
}

KVM_TEST("run.sync_regs", "unknown_bit_wins_over_immediate_exit", "kvm_arch_vcpu_ioctl_run",
         {.needs = {.cap = {Cap::SyncRegs, Cap::ImmediateExit}}, .status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  m.page().kvm_valid_regs = 1ull << 20;
  m.page().immediate_exit = 1;
  EXPECT_THAT(m.run(), FailsWith(EINVAL));
}

KVM_TEST("run.sync_regs", "dirty_special_registers_that_set_sregs_refuses_are_einval", kSource, kOptions)(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  auto sregs = m.sregs();
  sregs.cr4 &= ~0x20ull;  // long mode without PAE
  m.page().s.set(kvm_sync_regs{.sregs = sregs});
  m.page().kvm_dirty_regs = kSyncX86Sregs;
  EXPECT_THAT(m.run(), FailsWith(EINVAL));
}

}  // namespace
}  // namespace conformance
