// KVM_CREATE_IRQCHIP and the split irqchip of KVM_ENABLE_CAP: when they may be made, and what else they make possible.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kFull[] = {
    {.name = "succeeds_on_a_new_vm", .call = [](Ctx& t) { return t.vm().create_irqchip(); }, .expect = succeeds(0)},
    {.name = "argument_is_ignored",
     .call = [](Ctx& t) { return t.vm().raw(Ioctl::CreateIrqchip, 0x1234); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "twice_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().create_irqchip();
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl"},
    {.name = "after_split_irqchip_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vm().create_irqchip();
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl"},
    {.name = "after_a_vcpu_is_einval",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().create_irqchip();
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl; api.rst 4.24"},
    {.name = "gives_vcpus_a_local_apic",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().get_lapic();
         },
     .expect = succeeds()},
    {.name = "without_it_vcpus_have_no_local_apic",
     .call = [](Ctx& t) { return t.vcpu().get_lapic(); },
     .expect = fails(EINVAL),
     .source = "api.rst 4.57"},
};
KVM_ROWS("vm.create_irqchip", "api.rst 4.24", kFull);

constexpr IoctlCase kSplit[] = {
    {.name = "split_irqchip_with_24_routes_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::SplitIrqchip, 24); },
     .expect = succeeds(0)},
    {.name = "split_irqchip_without_routes_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::SplitIrqchip, 0); },
     .expect = succeeds(0)},
    {.name = "split_irqchip_with_4096_routes_is_accepted",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::SplitIrqchip, 4096); },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "KVM_MAX_IRQ_ROUTES"},
    {.name = "split_irqchip_with_4097_routes_is_einval",
     .call = [](Ctx& t) { return t.vm().enable_cap(Cap::SplitIrqchip, 4097); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "KVM_MAX_IRQ_ROUTES"},
    {.name = "split_irqchip_twice_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vm().enable_cap(Cap::SplitIrqchip, 24);
         },
     .expect = fails(EEXIST)},
    {.name = "split_irqchip_after_full_irqchip_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().enable_cap(Cap::SplitIrqchip, 24);
         },
     .expect = fails(EEXIST)},
    {.name = "split_irqchip_after_a_vcpu_is_eexist",
     .call =
         [](Ctx& t) {
           t.vcpu();
           return t.vm().enable_cap(Cap::SplitIrqchip, 24);
         },
     .expect = fails(EEXIST)},
    {.name = "split_irqchip_gives_vcpus_a_local_apic",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vcpu().get_lapic();
         },
     .expect = succeeds()},
    {.name = "split_irqchip_gives_no_ioapic_state",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vm().get_irqchip(kvmapi::kIrqchipIoapic);
         },
     .expect = fails(ENXIO),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl"},
    {.name = "split_irqchip_gives_no_pit",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vm().create_pit2();
         },
     .expect = before(6, 2, succeeds(0)).then(before(6, 12, Outcome{}).then(fails(ENOENT))),
     .status = Abi::observed,
     .source = "kvm_arch_vm_ioctl"},
};
KVM_ROWS("vm.enable_cap", "api.rst 7.5", kSplit);

}  // namespace
}  // namespace conformance
