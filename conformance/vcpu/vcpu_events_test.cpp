// KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS. What KVM_NMI, KVM_SMI and KVM_INTERRUPT leave in them: interrupt_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_vcpu_events;

// Sets what `change` makes of the current events.
template <auto kChange>
constexpr Call kSet = [](Ctx& t) {
  kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  kChange(events);
  return t.vcpu().set_vcpu_events(events);
};

constexpr IoctlCase kRows[] = {
    {.name = "what_was_read_is_accepted", .call = kSet<[](kvm_vcpu_events&) {}>, .expect = succeeds(0)},
    {.name = "unknown_flag_is_einval",
     .call = kSet<[](kvm_vcpu_events& e) { e.flags |= 0x100; }>,
     .expect = fails(EINVAL)},
    {.name = "highest_flag_is_einval",
     .call = kSet<[](kvm_vcpu_events& e) { e.flags |= 1u << 31; }>,
     .expect = fails(EINVAL)},
    {.name = "payload_flag_without_its_capability_is_einval",
     .call = kSet<[](kvm_vcpu_events& e) { e.flags |= kvmapi::kVcpueventValidPayload; }>,
     .expect = fails(EINVAL)},
    {.name = "triple_fault_flag_without_its_capability_is_einval",
     .call = kSet<[](kvm_vcpu_events& e) { e.flags |= kvmapi::kVcpueventValidTripleFault; }>,
     .expect = fails(EINVAL)},
    {.name = "exception_32_is_einval",
     .call = kSet<[](kvm_vcpu_events& e) { e.exception = {.injected = 1, .nr = 32}; }>,
     .expect = fails(EINVAL)},
    {.name = "exception_2_is_einval",  // NMI is no exception
     .call = kSet<[](kvm_vcpu_events& e) { e.exception = {.injected = 1, .nr = 2}; }>,
     .expect = fails(EINVAL)},
    {.name = "number_without_injected_is_not_checked",
     .call = kSet<[](kvm_vcpu_events& e) { e.exception = {.nr = 200}; }>,
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "exception_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) {
       e.exception = {.injected = 1, .nr = 13, .has_error_code = 1, .error_code = 0x55};
     }>,
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           const auto e = t.must(t.vcpu().get_vcpu_events()).exception;
           EXPECT_EQ(e.injected, 1);
           EXPECT_EQ(e.nr, 13);
           EXPECT_EQ(e.error_code, 0x55u);
         }},
    {.name = "interrupt_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) { e.interrupt = {.injected = 1, .nr = 0x30}; }>,
     .expect = succeeds(0),
     .check =
         [](Ctx& t) {
           const auto e = t.must(t.vcpu().get_vcpu_events()).interrupt;
           EXPECT_EQ(e.injected, 1);
           EXPECT_EQ(e.nr, 0x30);
         }},
    {.name = "soft_interrupt_is_not_reported",
     .call = kSet<[](kvm_vcpu_events& e) { e.interrupt = {.injected = 1, .nr = 0x30, .soft = 1}; }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).interrupt.injected, 0); },
     .status = Abi::observed},
    {.name = "interrupt_shadow_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) {
       e.flags |= kvmapi::kVcpueventValidShadow;
       e.interrupt.shadow = 1;
     }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_NE(t.must(t.vcpu().get_vcpu_events()).interrupt.shadow, 0); }},
    {.name = "interrupt_shadow_without_its_flag_is_not_written",
     .call = kSet<[](kvm_vcpu_events& e) {
       e.flags &= ~kvmapi::kVcpueventValidShadow;
       e.interrupt.shadow = 1;
     }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).interrupt.shadow, 0); }},
    {.name = "nmi_pending_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) { e.nmi.pending = 1; }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.pending, 1); }},
    {.name = "nmi_pending_without_its_flag_is_not_written",
     .call = kSet<[](kvm_vcpu_events& e) {
       e.flags &= ~kvmapi::kVcpueventValidNmiPending;
       e.nmi.pending = 1;
     }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.pending, 0); }},
    {.name = "nmi_masked_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) { e.nmi.masked = 1; }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.masked, 1); }},
    {.name = "nmi_injected_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) { e.nmi.injected = 1; }>,
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).nmi.injected, 1); }},
    {.name = "smm_is_read_back",
     .call = kSet<[](kvm_vcpu_events& e) { e.smi.smm = 1; }>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::X86Smm},
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).smi.smm, 1); }},
};
KVM_ROWS("vcpu.set_vcpu_events", "api.rst 4.32", kRows);

KVM_TEST("vcpu.get_vcpu_events", "new_vcpu_has_none", "api.rst 4.31")(Ctx& t) {
  const kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  EXPECT_EQ(events.exception.injected, 0);
  EXPECT_EQ(events.exception.pending, 0);
  EXPECT_EQ(events.interrupt.injected, 0);
  EXPECT_EQ(events.interrupt.shadow, 0);
  EXPECT_EQ(events.nmi.pending, 0);
  EXPECT_EQ(events.nmi.masked, 0);
  EXPECT_EQ(events.smi.smm, 0);
  EXPECT_EQ(events.triple_fault.pending, 0);
}

KVM_TEST("vcpu.get_vcpu_events", "flags_say_nmi_shadow_and_smm", "api.rst 4.31", {.status = Abi::observed})(Ctx& t) {
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).flags,
            kvmapi::kVcpueventValidNmiPending | kvmapi::kVcpueventValidShadow | kvmapi::kVcpueventValidSmm);
}

KVM_TEST("vcpu.get_vcpu_events", "reserved_fields_are_zero", "api.rst 4.31", {.status = Abi::sane})(Ctx& t) {
  kvm_vcpu_events events;
  std::memset(&events, kPoison, sizeof events);
  t.must(t.vcpu().raw(Ioctl::GetVcpuEvents, &events));
  EXPECT_EQ(events.reserved, (std::array<u8, 26>{}));
  EXPECT_EQ(events.nmi.pad, 0);
}

KVM_TEST("vcpu.get_vcpu_events", "payload_flag_follows_the_capability", "api.rst 7.17")(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ExceptionPayload, 1));
  EXPECT_NE(t.must(t.vcpu().get_vcpu_events()).flags & kvmapi::kVcpueventValidPayload, 0u);
}

KVM_TEST("vcpu.set_vcpu_events", "pending_exception_with_payload_is_read_back", "api.rst 4.32, 7.17")(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ExceptionPayload, 1));
  kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  events.exception = {.injected = 1, .nr = 14, .has_error_code = 1, .pending = 1, .error_code = 2};
  events.exception_has_payload = 1;
  events.exception_payload = 0xdead000;
  t.must(t.vcpu().set_vcpu_events(events));
  const kvm_vcpu_events got = t.must(t.vcpu().get_vcpu_events());
  EXPECT_EQ(got.exception.pending, 1);
  EXPECT_EQ(got.exception.injected, 0) << "pending wins";
  EXPECT_EQ(got.exception_has_payload, 1);
  EXPECT_EQ(got.exception_payload, 0xdead000u);
}

KVM_TEST("vcpu.set_vcpu_events", "without_the_capability_pending_is_dropped", "api.rst 4.32", {.status = Abi::observed})
(Ctx& t) {
  kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  events.exception = {.nr = 13, .pending = 1};
  t.must(t.vcpu().set_vcpu_events(events));
  const kvm_vcpu_events got = t.must(t.vcpu().get_vcpu_events());
  EXPECT_EQ(got.exception.pending, 0);
  EXPECT_EQ(got.exception.injected, 0);
}

KVM_TEST("vcpu.set_vcpu_events", "triple_fault_is_read_back_with_its_capability", "api.rst 4.32",
         {.needs = {.cap = Cap::X86TripleFaultEvent}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::X86TripleFaultEvent, 1));
  kvm_vcpu_events events = t.must(t.vcpu().get_vcpu_events());
  EXPECT_NE(events.flags & kvmapi::kVcpueventValidTripleFault, 0u);
  events.triple_fault.pending = 1;
  t.must(t.vcpu().set_vcpu_events(events));
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).triple_fault.pending, 1);
}

}  // namespace
}  // namespace conformance
