// kvm_run.cr8 and kvm_run.apic_base, valid without an in-kernel LAPIC, and KVM_EXIT_SET_TPR: MOV CR8 that lowers the
// priority. api.rst section 5.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
constexpr const char* kSource = "api.rst 5: cr8";

template <kvmapi::u64 Value>
constexpr auto set_cr8 = [](Machine& m) { m.page().cr8 = Value; };
template <kvmapi::u64 Value>
constexpr auto cr8_is = [](Machine& m) {
  EXPECT_EQ(m.page().cr8, Value);
  EXPECT_EQ(m.sregs().cr8, Value);
};

constexpr GuestCase kRows[] = {
    {.name = "is_what_the_guest_reads",
     .guest = Guest::read_cr8,
     .prepare = set_cr8<9>,
     .exits = {hlt().then(cr8_is<9>)},
     .finish = {.rax = 9}},
    {.name = "shows_what_the_guest_wrote",
     .guest = Guest::write_cr8,
     .start = {.rax = 7},
     .prepare = set_cr8<0>,
     .exits = {hlt().then(cr8_is<7>)}},
    {.name = "raised_by_the_guest_does_not_exit",
     .guest = Guest::write_cr8,
     .start = {.rax = 7},
     .prepare = set_cr8<5>,
     .exits = {hlt()},
     .status = Abi::observed,
     .source = "exits.def: KVM_EXIT_SET_TPR"},
    {.name = "lowered_by_the_guest_exits_after_the_instruction",
     .guest = Guest::write_cr8,
     .start = {.rax = 3},
     .prepare = set_cr8<5>,
     .exits = {exits_with(Exit::SetTpr).at("after").then(cr8_is<3>), hlt()},
     .status = Abi::observed,
     .source = "exits.def: KVM_EXIT_SET_TPR"},
    {.name = "above_15_raises_general_protection",
     .guest = Guest::write_cr8,
     .start = {.rax = 16},
     .exits = {taken(13)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(13).rip, m.at("the_write")); }},
};
KVM_ROWS("run.cr8", kSource, kRows);

KVM_TEST("run.cr8", "field_above_15_is_einval", kSource, {.status = Abi::observed})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  m.page().cr8 = 16;
  EXPECT_THAT(m.run(), FailsWith(EINVAL));
  m.page().cr8 = 15;
  EXPECT_THAT(m.run(), Returns(0));
}

KVM_TEST("run.cr8", "field_wins_over_set_sregs", kSource, {.status = Abi::observed})(Ctx& t) {
  Machine m(t, Guest::hlt_forever, Mode::long64);
  ASSERT_THAT(m.run(), Returns(0));
  m.change([](kvmapi::kvm_sregs& s) { s.cr8 = 4; });
  // The field of kvm_run wins over KVM_SET_SREGS when the vcpu runs.
  m.page().cr8 = 6;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.sregs().cr8, 6u);
  EXPECT_EQ(m.page().cr8, 6u);
}

KVM_TEST("run.apic_base", "field_is_that_of_get_sregs", "api.rst 5: apic_base")(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().apic_base, m.sregs().apic_base);
}

KVM_TEST("run.apic_base", "field_follows_set_sregs", "api.rst 5: apic_base")(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  m.change([](kvmapi::kvm_sregs& s) { s.apic_base = 0xfee00900; });
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().apic_base, 0xfee00900u);
}

// api.rst calls the field an input as well; no kernel that was measured reads it (kvm_arch_vcpu_ioctl_run).
KVM_TEST("run.apic_base", "field_written_by_user_space_is_not_taken",
         "kvm kvm_arch_vcpu_ioctl_run against api.rst 5: apic_base", {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::real);
  const auto before = m.sregs().apic_base;
  m.page().apic_base = 0xfed00900;
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.sregs().apic_base, before);
  EXPECT_EQ(m.page().apic_base, before);
}

}  // namespace
}  // namespace conformance
