// KVM_INTERRUPT, KVM_NMI, KVM_SMI: what they queue and when they are refused. Delivery: conformance/run.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_vcpu_events;

KVM_TEST("vcpu.nmi", "is_pending_until_delivered", "api.rst 4.64")(Ctx& t) {
  EXPECT_THAT(t.vcpu().nmi(), Returns(0));
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.pending, 1);
}

KVM_TEST("vcpu.nmi", "at_most_two_are_kept", "process_nmi", {.status = Abi::observed})(Ctx& t) {
  for (int i = 0; i < 5; ++i) t.must(t.vcpu().nmi());
  const int pending = t.must(t.vcpu().get_vcpu_events()).nmi.pending;
  if (t.kernel() < Version{6, 2}) {
    EXPECT_EQ(pending, 1) << "older kernels say yes or no";
  } else {
    EXPECT_EQ(pending, 2);
  }
}

KVM_TEST("vcpu.nmi", "only_one_is_kept_while_masked", "process_nmi", {.status = Abi::observed})(Ctx& t) {
  kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  events.nmi.masked = 1;
  t.must(t.vcpu().set_vcpu_events(events));
  for (int i = 0; i < 5; ++i) t.must(t.vcpu().nmi());
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.pending, 1);
}

constexpr IoctlCase kNmi[] = {
    {.name = "argument_is_ignored",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::Nmi, 0x1234); },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.nmi", "api.rst 4.64", kNmi);

constexpr IoctlCase kSmi[] = {
    {.name = "without_smm_is_enotty",
     .call =
         [](Ctx& t) {
           if (t.must(t.vm().check_extension(Cap::X86Smm)) != 0) t.skip("there is SMM");
           return t.vcpu().smi();
         },
     .expect = fails(ENOTTY),
     .status = Abi::observed},
    {.name = "is_accepted",
     .call = [](Ctx& t) { return t.vcpu().smi(); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86Smm},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).smi.pending, 1); }},
    {.name = "argument_is_ignored",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::Smi, 0x1234); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86Smm},
     .status = Abi::observed},
};
KVM_ROWS("vcpu.smi", "api.rst 4.96", kSmi);

constexpr IoctlCase kInterrupt[] = {
    {.name = "vector_is_queued",
     .call = [](Ctx& t) { return t.vcpu().interrupt(0x20); },
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).interrupt.nr, 0x20);
           EXPECT_EQ(t.must(t.vcpu().get_sregs()).interrupt_bitmap[0], u64{1} << 0x20);
         }},
    {.name = "vector_255_is_accepted", .call = [](Ctx& t) { return t.vcpu().interrupt(255); }, .expect = succeeds(0)},
    {.name = "vector_256_is_einval", .call = [](Ctx& t) { return t.vcpu().interrupt(256); }, .expect = fails(EINVAL)},
    {.name = "second_without_irqchip_overwrites_the_first",
     .call =
         [](Ctx& t) {
           t.must(t.vcpu().interrupt(0x20));
           return t.vcpu().interrupt(0x21);
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).interrupt.nr, 0x21); },
     .status = Abi::observed},
    {.name = "with_irqchip_is_enxio",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().interrupt(0x20);
         },
     .expect = fails(ENXIO)},
    {.name = "bad_vector_wins_over_irqchip",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().interrupt(256);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "with_split_irqchip_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vcpu().interrupt(0x20);
         },
     .expect = succeeds(0)},
    {.name = "second_with_split_irqchip_is_eexist",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           t.must(t.vcpu().interrupt(0x20));
           return t.vcpu().interrupt(0x21);
         },
     .expect = fails(EEXIST)},
};
KVM_ROWS("vcpu.interrupt", "api.rst 4.16", kInterrupt);

}  // namespace
}  // namespace conformance
