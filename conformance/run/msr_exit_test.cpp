// KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR: MSR accesses that user space asked to see. api.rst 7.21 and 8.26
// (KVM_CAP_X86_USER_SPACE_MSR), 4.97 and 8.27 (KVM_X86_SET_MSR_FILTER), section 5.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_exit_msr;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kInvalid = kvmapi::kMsrExitReasonInval;
constexpr u64 kUnknown = kvmapi::kMsrExitReasonUnknown;
constexpr u64 kFilter = kvmapi::kMsrExitReasonFilter;
constexpr u64 kUnknownMsr = 0x12345;
constexpr u64 kEfer = 0xc0000080;
constexpr u64 kSysenterCs = 0x174;
constexpr u64 kWritten = 0x5566778811223344;

template <u64 Reasons>
constexpr auto see = [](Machine& m) { m.t.must(m.vm().enable_cap(Cap::X86UserSpaceMsr, Reasons)); };

kvm_exit_msr payload(Machine& m) { return m.page().exit.as<kvm_exit_msr>(); }

// Answers the exit: what RDMSR reads, or #GP.
void answer(Machine& m, u64 data, u8 error) {
  auto msr = payload(m);
  msr.data = data;
  msr.error = error;
  m.page().exit.set(msr);
}

template <u64 Index, u64 Reason>
constexpr auto is_rdmsr = [](Machine& m) {
  EXPECT_EQ(payload(m).index, Index);
  EXPECT_EQ(payload(m).reason, Reason);
  EXPECT_EQ(payload(m).error, 0);
  answer(m, 0x1122334455667788, 0);
};
template <u64 Index, u64 Reason>
constexpr auto is_wrmsr = [](Machine& m) {
  EXPECT_EQ(payload(m).index, Index);
  EXPECT_EQ(payload(m).reason, Reason);
  EXPECT_EQ(payload(m).error, 0);
  EXPECT_EQ(payload(m).data, kWritten);
};
constexpr auto refuse = [](Machine& m) { answer(m, 0, 1); };
constexpr auto leave_at_once = [](Machine& m) { m.page().immediate_exit = 1; };

constexpr Needs kNeeds = {.vm_cap = Cap::X86UserSpaceMsr};

constexpr GuestCase kRdmsr[] = {
    {.name = "of_an_unknown_msr_delivers_what_user_space_says",
     .guest = Guest::rdmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Rdmsr).then(is_rdmsr<kUnknownMsr, kUnknown>), hlt().at("after_hlt")},
     .finish = {.rax = 0x55667788, .rdx = 0x11223344},
     .needs = kNeeds},
    {.name = "exits_with_rip_on_the_instruction",
     .guest = Guest::rdmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Rdmsr).at("the_instruction"), hlt().at("after_hlt")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "answered_with_an_error_raises_general_protection",
     .guest = Guest::rdmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Rdmsr).then(refuse), taken(13)},
     .finish = {.rax = 0x55555555, .rdx = 0x66666666},
     .needs = kNeeds,
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(13).rip, m.at("the_instruction"));
           EXPECT_EQ(m.frame(13).error_code, 0u);
         }},
    {.name = "without_the_capability_raises_general_protection",
     .guest = Guest::rdmsr,
     .start = {.rcx = kUnknownMsr},
     .exits = {taken(13)},
     .check = [](Machine& m) { EXPECT_EQ(m.frame(13).rip, m.at("the_instruction")); },
     .status = Abi::observed},
    {.name = "of_a_known_msr_does_not_exit",
     .guest = Guest::rdmsr,
     .start = {.rcx = kSysenterCs},
     .prepare = see<kUnknown | kInvalid>,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = 0, .rdx = 0},
     .needs = kNeeds},
};
KVM_ROWS("run.rdmsr", "api.rst 7.21: KVM_CAP_X86_USER_SPACE_MSR", kRdmsr);

constexpr GuestCase kWrmsr[] = {
    {.name = "of_an_unknown_msr_shows_the_value",
     .guest = Guest::wrmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Wrmsr).then(is_wrmsr<kUnknownMsr, kUnknown>), hlt().at("after_hlt")},
     .needs = kNeeds},
    {.name = "of_a_forbidden_value_exits_as_invalid",
     .guest = Guest::wrmsr,
     .start = {.rcx = kEfer},
     .prepare = see<kInvalid>,
     .exits = {exits_with(Exit::X86Wrmsr).then(is_wrmsr<kEfer, kInvalid>), hlt().at("after_hlt")},
     .needs = kNeeds},
    {.name = "of_a_forbidden_value_raises_general_protection_if_only_unknown_ones_are_seen",
     .guest = Guest::wrmsr,
     .start = {.rcx = kEfer},
     .prepare = see<kUnknown>,
     .exits = {taken(13)},
     .needs = kNeeds},
    {.name = "exits_with_rip_on_the_instruction",
     .guest = Guest::wrmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Wrmsr).at("the_instruction"), hlt().at("after_hlt")},
     .needs = kNeeds,
     .status = Abi::observed},
    {.name = "answered_with_an_error_raises_general_protection",
     .guest = Guest::wrmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Wrmsr).then(refuse), taken(13)},
     .needs = kNeeds,
     .check = [](Machine& m) { EXPECT_EQ(m.frame(13).rip, m.at("the_instruction")); }},
    {.name = "is_finished_by_immediate_exit",
     .guest = Guest::wrmsr,
     .start = {.rcx = kUnknownMsr},
     .prepare = see<kUnknown>,
     .exits = {exits_with(Exit::X86Wrmsr).then(leave_at_once), run_fails(EINTR).at("after")},
     .needs = kNeeds},
};
KVM_ROWS("run.wrmsr", "api.rst 7.21: KVM_CAP_X86_USER_SPACE_MSR", kWrmsr);

// A filter that denies one MSR and allows everything else.
template <u32 Flags>
constexpr auto deny_sysenter_cs = [](Machine& m) {
  static u8 bitmap[8] = {};  // a clear bit denies
  kvmapi::kvm_msr_filter filter{};
  filter.flags = kvmapi::kMsrFilterDefaultAllow;
  filter.ranges[0] = {
      .flags = Flags, .nmsrs = 1, .base = static_cast<u32>(kSysenterCs), .bitmap = reinterpret_cast<u64>(bitmap)};
  m.t.must(m.vm().enable_cap(Cap::X86UserSpaceMsr, kFilter));
  m.t.must(m.vm().x86_set_msr_filter(filter));
};
constexpr u32 kRead = kvmapi::kMsrFilterRead, kWrite = kvmapi::kMsrFilterWrite;
constexpr Needs kNeedsFilter = {.vm_cap = {Cap::X86UserSpaceMsr, Cap::X86MsrFilter}};

constexpr GuestCase kFiltered[] = {
    {.name = "denied_read_exits",
     .guest = Guest::rdmsr,
     .start = {.rcx = kSysenterCs},
     .prepare = deny_sysenter_cs<kRead>,
     .exits = {exits_with(Exit::X86Rdmsr).then(is_rdmsr<kSysenterCs, kFilter>), hlt().at("after_hlt")},
     .finish = {.rax = 0x55667788, .rdx = 0x11223344},
     .needs = kNeedsFilter},
    {.name = "denied_write_exits_and_changes_nothing",
     .guest = Guest::wrmsr,
     .start = {.rcx = kSysenterCs},
     .prepare = deny_sysenter_cs<kWrite>,
     .exits = {exits_with(Exit::X86Wrmsr).then(is_wrmsr<kSysenterCs, kFilter>), hlt().at("after_hlt")},
     .needs = kNeedsFilter,
     .check = [](Machine& m) { EXPECT_THAT(m.vcpu().get_msr(kSysenterCs), Returns(0u)); }},
    {.name = "write_is_allowed_if_only_reads_are_denied",
     .guest = Guest::wrmsr,
     .start = {.rcx = kSysenterCs},
     .prepare = deny_sysenter_cs<kRead>,
     .exits = {hlt().at("after_hlt")},
     .needs = kNeedsFilter},
    {.name = "other_msr_is_allowed",
     .guest = Guest::rdmsr,
     .start = {.rcx = kSysenterCs + 1},
     .prepare = deny_sysenter_cs<kRead | kWrite>,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = 0, .rdx = 0},
     .needs = kNeedsFilter},
    {.name = "without_exits_for_it_a_denied_read_raises_general_protection",
     .guest = Guest::rdmsr,
     .start = {.rcx = kSysenterCs},
     .prepare =
         [](Machine& m) {
           deny_sysenter_cs<kRead>(m);
           m.t.must(m.vm().enable_cap(Cap::X86UserSpaceMsr, 0));
         },
     .exits = {taken(13)},
     .needs = kNeedsFilter},
};
KVM_ROWS("run.msr_filter", "api.rst 4.97: KVM_X86_SET_MSR_FILTER", kFiltered);

KVM_TEST("run.msr_filter", "does_not_apply_to_user_space", "api.rst 4.97", {.needs = kNeedsFilter})(Ctx& t) {
  Machine m(t, Guest::hlt, Mode::long64);
  deny_sysenter_cs<kRead | kWrite>(m);
  EXPECT_THAT(m.vcpu().set_msr(kSysenterCs, 8), Succeeds());
  EXPECT_THAT(m.vcpu().get_msr(kSysenterCs), Returns(8u));
}

}  // namespace
}  // namespace conformance
