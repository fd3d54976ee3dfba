// VMCALL and VMMCALL: hypercalls that KVM answers itself, and KVM_EXIT_HYPERCALL for KVM_HC_MAP_GPA_RANGE.
// api.rst 7.40 (KVM_CAP_EXIT_HYPERCALL), Documentation/virt/kvm/x86/hypercalls.rst.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_exit_hypercall;
using kvmapi::u64;

constexpr u64 kMapGpaRange = 12;
constexpr u64 kNoSuchCall = static_cast<u64>(-1000);  // -KVM_ENOSYS
constexpr Registers kMapTwoPages = {.rax = kMapGpaRange, .rbx = 0x100000, .rcx = 2, .rdx = 0x10};

constexpr auto let_user_space_see = [](Machine& m) {
  m.t.must(m.vm().enable_cap(Cap::ExitHypercall, 1u << kMapGpaRange));
};
template <u64 Ret>
constexpr auto answer = [](Machine& m) {
  auto call = m.page().exit.as<kvm_exit_hypercall>();
  EXPECT_EQ(call.nr, kMapGpaRange);
  EXPECT_EQ(call.args[0], 0x100000u);
  EXPECT_EQ(call.args[1], 2u);
  EXPECT_EQ(call.args[2], 0x10u);
  call.ret = Ret;
  m.page().exit.set(call);
};

constexpr Needs kNeeds = {.vm_cap = Cap::ExitHypercall};
constexpr Needs kAmd = {.vendor = Vendor::amd};

constexpr GuestCase kRows[] = {
    {.name = "unknown_number_returns_enosys_to_the_guest",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = {.rax = 0x7777},
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = kNoSuchCall},
     .needs = kAmd},
    {.name = "unknown_number_returns_32_bits_outside_long_mode",
     .guest = Guest::vmmcall,
     .modes = {Mode::prot32, Mode::paged32},
     .start = {.rax = 0x7777},
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = kNoSuchCall & 0xffffffff},
     .needs = kAmd},
    {.name = "map_gpa_range_exits_with_its_arguments",
     .guest = Guest::vmmcall,
     .modes = {Mode::prot32, Mode::paged32, Mode::long64},
     .start = kMapTwoPages,
     .prepare = let_user_space_see,
     .exits = {exits_with(Exit::Hypercall).then(answer<0>), hlt().at("after_hlt")},
     .finish = {.rax = 0},
     .needs = {.vm_cap = Cap::ExitHypercall, .vendor = Vendor::amd}},
    {.name = "return_value_reaches_rax",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = kMapTwoPages,
     .prepare = let_user_space_see,
     .exits = {exits_with(Exit::Hypercall).at("the_instruction").then(answer<0x1234>), hlt().at("after_hlt")},
     .finish = {.rax = 0x1234},
     .needs = {.vm_cap = Cap::ExitHypercall, .vendor = Vendor::amd},
     .status = Abi::observed},
    {.name = "map_gpa_range_without_the_capability_is_enosys",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = kMapTwoPages,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = kNoSuchCall},
     .needs = kAmd},
    {.name = "map_gpa_range_of_an_unaligned_address_is_einval",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = {.rax = kMapGpaRange, .rbx = 0x100001, .rcx = 2, .rdx = 0x10},
     .prepare = let_user_space_see,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = static_cast<u64>(-22)},
     .needs = {.vm_cap = Cap::ExitHypercall, .vendor = Vendor::amd}},
};
KVM_ROWS("run.hypercall", "api.rst 7.40: KVM_CAP_EXIT_HYPERCALL", kRows);

// The other vendor's instruction is rewritten in guest memory (KVM_X86_QUIRK_FIX_HYPERCALL_INSN), then does the same.
constexpr GuestCase kOtherVendor[] = {
    {.name = "instruction_of_the_other_vendor_is_patched_and_works",
     .guest = Guest::vmcall,
     .modes = Mode::long64,
     .start = {.rax = 0x7777},
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = kNoSuchCall},
     .needs = {.vendor = Vendor::amd},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(m.at("the_instruction"), 3), "\x0f\x01\xd9") << "VMMCALL"; },
     .status = Abi::observed,
     .source = "api.rst 7.31: KVM_X86_QUIRK_FIX_HYPERCALL_INSN"},
};
KVM_ROWS("run.hypercall", "api.rst 7.31", kOtherVendor);

}  // namespace
}  // namespace conformance
