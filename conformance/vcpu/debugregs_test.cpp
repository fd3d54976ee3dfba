// KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, and the rules of KVM_SET_GUEST_DEBUG that need no running guest.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_debugregs;

constexpr IoctlCase kSet[] = {
    {.name = "what_was_read_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_debugregs(t.must(t.vcpu().get_debugregs())); },
     .expect = succeeds(0)},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           auto regs = t.must(t.vcpu().get_debugregs());
           regs.flags = 1;
           return t.vcpu().set_debugregs(regs);
         },
     .expect = fails(EINVAL)},
    {.name = "dr6_high_half_is_einval",
     .call =
         [](Ctx& t) {
           auto regs = t.must(t.vcpu().get_debugregs());
           regs.dr6 |= u64{1} << 32;
           return t.vcpu().set_debugregs(regs);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "dr7_high_half_is_einval",
     .call =
         [](Ctx& t) {
           auto regs = t.must(t.vcpu().get_debugregs());
           regs.dr7 |= u64{1} << 32;
           return t.vcpu().set_debugregs(regs);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "reserved_fields_are_not_looked_at",
     .call =
         [](Ctx& t) {
           auto regs = t.must(t.vcpu().get_debugregs());
           regs.reserved.fill(7);
           return t.vcpu().set_debugregs(regs);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_debugregs", "api.rst 4.34", kSet);

KVM_TEST("vcpu.get_debugregs", "starts_in_the_reset_state", "SDM 3A 9.1.1")(Ctx& t) {
  const kvm_debugregs regs = t.must(t.vcpu().get_debugregs());
  EXPECT_EQ(regs.db, (std::array<u64, 4>{}));
  EXPECT_EQ(regs.dr6, 0xffff0ff0u);
  EXPECT_EQ(regs.dr7, 0x400u);
  EXPECT_EQ(regs.flags, 0u);
}

KVM_TEST("vcpu.get_debugregs", "reserved_fields_are_zero", "CVE-2023-1513", {.status = Abi::sane})(Ctx& t) {
  kvm_debugregs regs;
  std::memset(&regs, kPoison, sizeof regs);
  t.must(t.vcpu().raw(Ioctl::GetDebugregs, &regs));
  EXPECT_EQ(regs.reserved, (std::array<u64, 9>{}));
}

KVM_TEST("vcpu.set_debugregs", "all_registers_are_read_back", "api.rst 4.34")(Ctx& t) {
  auto regs = t.must(t.vcpu().get_debugregs());
  regs.db = {0x1000, 0x2000, 0x3000, 0x4000};
  regs.dr6 = 0xffff0ff1;
  regs.dr7 = 0x401;
  t.must(t.vcpu().set_debugregs(regs));
  const kvm_debugregs got = t.must(t.vcpu().get_debugregs());
  EXPECT_EQ(got.db, regs.db);
  EXPECT_EQ(got.dr6, regs.dr6);
  EXPECT_EQ(got.dr7, regs.dr7);
}

constexpr IoctlCase kGuestDebug[] = {
    {.name = "nothing_is_accepted", .call = [](Ctx& t) { return t.vcpu().set_guest_debug({}); }, .expect = succeeds(0)},
    {.name = "single_step_is_accepted",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_guest_debug({.control = kvmapi::kGuestdbgEnable | kvmapi::kGuestdbgSinglestep});
         },
     .expect = succeeds(0)},
    {.name = "hardware_breakpoints_are_accepted",
     .call =
         [](Ctx& t) {
           return t.vcpu().set_guest_debug({.control = kvmapi::kGuestdbgEnable | kvmapi::kGuestdbgUseHwBp});
         },
     .expect = succeeds(0)},
    {.name = "unknown_control_bits_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_guest_debug({.control = 1 | 1u << 30}); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "injecting_a_debug_exception_is_accepted",
     .call = [](Ctx& t) { return t.vcpu().set_guest_debug({.control = 1 | kvmapi::kGuestdbgInjectDb}); },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           const auto events = t.must(t.vcpu().get_vcpu_events());
           EXPECT_EQ(events.exception.nr, 1);
           EXPECT_NE(events.exception.injected | events.exception.pending, 0);
         }},
    {.name = "injecting_twice_is_ebusy",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().set_guest_debug({.control = 1 | kvmapi::kGuestdbgInjectDb}));
           return t.vcpu().set_guest_debug({.control = 1 | kvmapi::kGuestdbgInjectBp});
         },
     .expect = fails(EBUSY)},
};
KVM_ROWS("vcpu.set_guest_debug", "api.rst 4.87", kGuestDebug);

}  // namespace
}  // namespace conformance
