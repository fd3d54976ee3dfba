// KVM_TPR_ACCESS_REPORTING, KVM_SET_VAPIC_ADDR: acceleration of the task priority register.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kTpr[] = {
    {.name = "on_is_accepted",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{.enabled = 1};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "flags_are_einval",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{.enabled = 1, .flags = 1};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "needs_no_irqchip",
     .call =
         [](Ctx& t) {
           kvmapi::kvm_tpr_access_ctl control{};
           return t.vcpu().tpr_access_reporting(control);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.tpr_access_reporting", "vcpu_ioctl_tpr_access_reporting (not in api.rst)", kTpr);

constexpr IoctlCase kVapic[] = {
    {.name = "without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vcpu().set_vapic_addr({0x3000}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "missing_irqchip_wins_over_bad_pointer",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::SetVapicAddr, 8); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "address_in_memory_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           t.memory();
           return t.vcpu().set_vapic_addr({0x3000});
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "address_outside_memory_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().set_vapic_addr({u64{1} << 40});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "address_0_turns_it_off",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().set_vapic_addr({0});
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.set_vapic_addr", "kvm_lapic_set_vapic_addr (not in api.rst)", kVapic);

}  // namespace
}  // namespace conformance
