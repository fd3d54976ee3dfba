// KVM_EXIT_XEN: hypercalls of a Xen guest that user space asked for. api.rst section 5, 4.37
// (KVM_XEN_HVM_CONFIG), 8.30.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::Exit;
using kvmapi::kvm_xen_exit;
using kvmapi::kvm_xen_exit_hcall;
using kvmapi::u64;

constexpr auto be_xen = [](Machine& m) {
  const kvmapi::kvm_xen_hvm_config config{.flags = kvmapi::kXenHvmConfigInterceptHcall, .msr = 0x40000200};
  m.t.must(m.vm().xen_hvm_config(config), "KVM_XEN_HVM_CONFIG");
};
template <u64 Mask>
constexpr auto answer = [](Machine& m) {
  auto exit = m.page().exit.as<kvm_xen_exit>();
  EXPECT_EQ(exit.type, 1u) << "KVM_EXIT_XEN_HCALL";
  auto call = exit.u.as<kvm_xen_exit_hcall>();
  EXPECT_EQ(call.input, 0x1234u);
  EXPECT_EQ(call.cpl, 0u);
  EXPECT_EQ(call.longmode, m.mode == Mode::long64 ? 1u : 0u);
  EXPECT_EQ(call.params[0], (m.mode == Mode::long64 ? 0x77u : 0x66u)) << "RDI in long mode, EBX else";
  call.result = 0x1111222233334444 & Mask;
  exit.u.set(call);
  m.page().exit.set(exit);
};

bool has_hypercall_exits(Ctx& t) {
  const auto flags = t.system().check_extension(Cap::XenHvm);
  return flags.ok() && (*flags & static_cast<int>(kvmapi::kXenHvmConfigInterceptHcall)) != 0;
}
constexpr Needs kNeeds = {
    .vendor = Vendor::amd,
    .probe = {.what = "KVM_CAP_XEN_HVM with INTERCEPT_HCALL", .is_present = &has_hypercall_exits}};

constexpr GuestCase kRows[] = {
    {.name = "hypercall_exits_and_returns_its_result",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = {.rax = 0x1234, .rbx = 0x66, .rdi = 0x77},
     .prepare = be_xen,
     .exits = {exits_with(Exit::Xen).at("the_instruction").then(answer<~0ull>), hlt().at("after_hlt")},
     .finish = {.rax = 0x1111222233334444},
     .needs = kNeeds},
    {.name = "hypercall_outside_long_mode_takes_other_registers",
     .guest = Guest::vmmcall,
     .modes = {Mode::prot32, Mode::paged32},
     .start = {.rax = 0x1234, .rbx = 0x66, .rdi = 0x77},
     .prepare = be_xen,
     .exits = {exits_with(Exit::Xen).then(answer<0xffffffff>), hlt().at("after_hlt")},
     .finish = {.rax = 0x33334444},
     .needs = kNeeds},
    {.name = "without_its_configuration_no_hypercall_exits",
     .guest = Guest::vmmcall,
     .modes = Mode::long64,
     .start = {.rax = 0x1234},
     .exits = {hlt()},
     .finish = {.rax = static_cast<u64>(-1000)},
     .needs = {.vendor = Vendor::amd}},
};
KVM_ROWS("run.xen", "api.rst 5: KVM_EXIT_XEN", kRows);

}  // namespace
}  // namespace conformance
