// KVM_SIGNAL_MSI: injecting a message without a route.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr kvmapi::kvm_msi kToApic0{.address_lo = 0xfee00000, .data = 0x41};

// Is the vector requested in the local APIC (IRR)?
bool is_requested(const kvmapi::kvm_lapic_state& lapic, int vector) {
  return (lapic.regs[0x200 + 0x10 * (vector / 32) + vector % 32 / 8] >> (vector % 8) & 1) != 0;
}

// Software-enables the local APIC.
void enable_lapic(Ctx& t) {
  auto lapic = t.must(t.vcpu().get_lapic());
  lapic.regs[0xf0] = 0xff;
  lapic.regs[0xf1] = 1;
  t.must(t.vcpu().set_lapic(lapic));
}

constexpr IoctlCase kRows[] = {
    {.name = "without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vm().signal_msi(kToApic0); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "unknown_flags_are_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           auto msi = kToApic0;
           msi.flags = 2;
           return t.vm().signal_msi(msi);
         },
     .expect = fails(EINVAL)},
    {.name = "device_id_flag_is_accepted_without_effect",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           auto msi = kToApic0;
           msi.flags = kvmapi::kMsiValidDevid;
           return t.vm().signal_msi(msi);
         },
     .expect = succeeds(1),
     .status = Abi::observed},
    {.name = "one_delivery_returns_1",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           return t.vm().signal_msi(kToApic0);
         },
     .expect = succeeds(1)},
    {.name = "delivery_sets_the_request_bit_of_the_vector",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           return t.vm().signal_msi(kToApic0);
         },
     .expect = succeeds(),
     .check = [](Ctx& t) { EXPECT_TRUE(is_requested(t.must(t.vcpu().get_lapic()), 0x41)); }},
    {.name = "split_irqchip_is_enough",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           enable_lapic(t);
           return t.vm().signal_msi(kToApic0);
         },
     .expect = succeeds(1),
     .source = "api.rst 7.5"},
    {.name = "destination_that_does_not_exist_returns_0",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           auto msi = kToApic0;
           msi.address_lo = 0xfee33000;
           return t.vm().signal_msi(msi);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_irq_delivery_to_apic_fast"},
    {.name = "vm_without_vcpus_is_eperm",  // the raw -1 of the kernel
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().signal_msi(kToApic0);
         },
     .expect = fails(EPERM),
     .status = Abi::observed,
     .source = "kvm_send_userspace_msi"},
    {.name = "broadcast_returns_the_number_of_targets",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           auto second = t.must(t.vm().create_vcpu(1));
           auto lapic = t.must(second.get_lapic());
           lapic.regs[0xf0] = 0xff;
           lapic.regs[0xf1] = 1;
           t.must(second.set_lapic(lapic));
           auto msi = kToApic0;
           msi.address_lo = 0xfeeff000;
           return t.vm().signal_msi(msi);
         },
     .expect = succeeds(2),
     .status = Abi::observed},
    {.name = "same_vector_again_returns_1_although_it_is_still_requested",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           enable_lapic(t);
           t.must(t.vm().signal_msi(kToApic0));
           return t.vm().signal_msi(kToApic0);
         },
     .expect = succeeds(1),
     .status = Abi::observed},
};
KVM_ROWS("vm.signal_msi", "api.rst 4.71", kRows);

}  // namespace
}  // namespace conformance
