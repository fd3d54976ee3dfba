// KVM_X86_SETUP_MCE, KVM_X86_SET_MCE: machine check banks.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr u64 kValid = u64{1} << 63, kUncorrected = u64{1} << 61, kEnabled = u64{1} << 60, kCtlP = 1u << 8;

constexpr IoctlCase kSetupMce[] = {
    {.name = "ten_banks_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10); },
     .expect = succeeds(0)},
    {.name = "thirty_two_banks_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(32); },
     .expect = succeeds(0)},
    {.name = "thirty_three_banks_are_einval",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(33); },
     .expect = fails(EINVAL)},
    {.name = "no_bank_is_einval", .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(0); }, .expect = fails(EINVAL)},
    {.name = "bit_that_is_not_supported_is_einval",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | u64{1} << 40); },
     .expect = fails(EINVAL)},
    {.name = "supported_bits_are_accepted",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | t.must(t.system().x86_get_mce_cap_supported())); },
     .expect = succeeds(0)},
    {.name = "mcg_cap_shows_what_was_set",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(10 | kCtlP); },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_THAT(t.vcpu().get_msr(0x179), Returns(10 | kCtlP)); }},
    {.name = "ctl_of_every_bank_becomes_all_ones",
     .call = [](Ctx& t) { return t.vcpu().x86_setup_mce(3 | kCtlP); },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           for (u32 bank = 0; bank < 3; ++bank) EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * bank), Returns(~u64{0}));
           EXPECT_THAT(t.vcpu().get_msr(0x17b), Returns(~u64{0}));
         }},
};
KVM_ROWS("vcpu.x86_setup_mce", "api.rst 4.105", kSetupMce);

constexpr IoctlCase kSetMce[] = {
    {.name = "corrected_error_is_logged_in_its_bank",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4 | kCtlP));
           return t.vcpu().x86_set_mce({.status = kValid | kEnabled | 0x11, .addr = 0x1234, .misc = 0x55, .bank = 2});
         },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * 2 + 1), Returns(kValid | kEnabled | 0x11));
           EXPECT_THAT(t.vcpu().get_msr(0x400 + 4 * 2 + 2), Returns(u64{0x1234}));
         }},
    {.name = "status_without_valid_bit_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4));
           return t.vcpu().x86_set_mce({.status = kEnabled, .bank = 0});
         },
     .expect = fails(EINVAL)},
    {.name = "bank_beyond_the_last_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4));
           return t.vcpu().x86_set_mce({.status = kValid, .bank = 4});
         },
     .expect = fails(EINVAL)},
    {.name = "uncorrected_error_queues_machine_check",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().x86_setup_mce(4 | kCtlP));
           auto sregs = t.must(t.vcpu().get_sregs());
           sregs.cr4 |= 1u << 6;
           t.must(t.vcpu().set_sregs(sregs));
           return t.vcpu().x86_set_mce({.status = kValid | kUncorrected | kEnabled, .mcg_status = 4, .bank = 1});
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).exception.nr, 18); },
     .status = Abi::observed},
};
KVM_ROWS("vcpu.x86_set_mce", "api.rst 4.106", kSetMce);

}  // namespace
}  // namespace conformance
