// KVM_CHECK_EXTENSION on a VM, where it differs from /dev/kvm. Every capability:
// conformance/system/check_extension_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kVm[] = {
    {.name = "unknown_capability_is_0_not_an_error",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::CheckExtension, 100000); },
     .expect = succeeds(0)},
    {.name = "is_usable_after_a_vcpu_exists",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().check_extension(Cap::UserMemory);
         },
     .expect = succeeds(1)},
    {.name = "apic_bus_cycles_after_it_was_set_to_40_is_1_or_40_by_kernel",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           kvmapi::kvm_enable_cap cap{};
           cap.cap = static_cast<u32>(Cap::X86ApicBusCyclesNs);
           cap.args[0] = 40;
           t.must(t.vm().enable_cap(cap));
           return t.vm().check_extension(Cap::X86ApicBusCyclesNs);
         },
     .expect = before(6, 19, succeeds(1)).then(succeeds(40)),
     .needs = {.cap = Cap::X86ApicBusCyclesNs},
     .status = Abi::observed,
     .source = "api.rst 7.35; kvm_vm_ioctl_check_extension"},
    {.name = "max_vcpu_id_ignores_the_limit_set_by_enable_cap",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_enable_cap cap{};
           cap.cap = static_cast<u32>(Cap::MaxVcpuId);
           cap.args[0] = 8;
           t.must(t.vm().enable_cap(cap));
           EXPECT_EQ(t.must(t.vm().check_extension(Cap::MaxVcpuId)),
                     t.must(t.system().check_extension(Cap::MaxVcpuId)));
           return t.vm().check_extension(Cap::MaxVcpuId);
         },
     .expect = succeeds(),
     .needs = {.kernel = {6, 0}},
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_check_extension"},
    {.name = "suppress_eoi_broadcast_enable_needs_split_irqchip",
     .call =
         [](Ctx& t) {
           const int system = t.must(t.system().check_extension(Cap::X2apicApi));
           const int plain = t.must(t.vm().check_extension(Cap::X2apicApi));
           kvmapi::Vm split = t.new_vm();
           kvmapi::kvm_enable_cap cap{};
           cap.cap = static_cast<u32>(Cap::SplitIrqchip);
           cap.args[0] = 24;
           t.must(split.enable_cap(cap));
           EXPECT_EQ(t.must(split.check_extension(Cap::X2apicApi)), system);
           EXPECT_EQ(plain, system & ~4);
           return t.vm().check_extension(Cap::X2apicApi);
         },
     .expect = succeeds(),
     .status = Abi::observed,
     .source = "api.rst 7.7; kvm_vm_ioctl_check_extension"},
};
KVM_ROWS("vm.check_extension", "api.rst 4.4", kVm);

}  // namespace
}  // namespace conformance
