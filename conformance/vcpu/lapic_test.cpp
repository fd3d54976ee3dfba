// KVM_GET_LAPIC, KVM_SET_LAPIC: the register page of the in-kernel local APIC.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_lapic_state;

u32 reg(const kvm_lapic_state& lapic, u32 offset) {
  u32 value;
  std::memcpy(&value, lapic.regs.data() + offset, sizeof value);
  return value;
}
void set(kvm_lapic_state& lapic, u32 offset, u32 value) {
  std::memcpy(lapic.regs.data() + offset, &value, sizeof value);
}

constexpr IoctlCase kRows[] = {
    {.name = "without_irqchip_is_einval",
     .call = [](Ctx& t) { return t.vcpu().set_lapic({}); },
     .expect = fails(EINVAL)},
    {.name = "missing_irqchip_wins_over_bad_pointer",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::SetLapic, 8); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "what_was_read_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vcpu().set_lapic(t.must(t.vcpu().get_lapic()));
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vcpu.set_lapic", "api.rst 4.58", kRows);

constexpr IoctlCase kGet[] = {
    {.name = "without_irqchip_is_einval", .call = [](Ctx& t) { return t.vcpu().get_lapic(); }, .expect = fails(EINVAL)},
    {.name = "missing_irqchip_wins_over_bad_pointer",
     .call = [](Ctx& t) { return t.vcpu().raw(Ioctl::GetLapic, 8); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vcpu.get_lapic", "api.rst 4.57", kGet);

KVM_TEST("vcpu.get_lapic", "starts_in_the_reset_state", "SDM 3A 11.4.7.1")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  const kvm_lapic_state lapic = t.must(t.vcpu().get_lapic());
  EXPECT_EQ(reg(lapic, 0x20), 0u) << "ID";
  EXPECT_EQ(reg(lapic, 0x80), 0u) << "TPR";
  EXPECT_EQ(reg(lapic, 0xe0), 0xffffffffu) << "DFR";
  EXPECT_EQ(reg(lapic, 0xd0), 0u) << "LDR";
  EXPECT_EQ(reg(lapic, 0xf0), 0xffu) << "SVR";
  for (u32 lvt : {0x320u, 0x330u, 0x340u, 0x360u, 0x370u})
    EXPECT_EQ(reg(lapic, lvt), 0x10000u) << fmt::format("LVT {:#x}", lvt);
  for (u32 irr = 0x200; irr < 0x280; irr += 0x10) EXPECT_EQ(reg(lapic, irr), 0u) << fmt::format("IRR {:#x}", irr);
  EXPECT_EQ(reg(lapic, 0x380), 0u) << "timer";
}

KVM_TEST("vcpu.get_lapic", "version_is_0x14", "kvm_apic_set_version", {.status = Abi::observed})(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_EQ(reg(t.must(t.vcpu().get_lapic()), 0x30) & 0xff, 0x14u);
}

KVM_TEST("vcpu.get_lapic", "lint0_of_the_bootstrap_processor_is_extint", "kvm_lapic_reset (quirk LINT0_REENABLED)",
         {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_EQ(reg(t.must(t.vcpu().get_lapic()), 0x350), 0x700u);
}

KVM_TEST("vcpu.get_lapic", "lint0_is_masked_with_the_quirk_off", "api.rst 7.31",
         {.needs = {.cap = Cap::DisableQuirks2}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::DisableQuirks2, 1));
  t.must(t.vm().create_irqchip());
  EXPECT_EQ(reg(t.must(t.vcpu().get_lapic()), 0x350), 0x10000u);
}

KVM_TEST("vcpu.set_lapic", "registers_are_read_back", "api.rst 4.58")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  kvm_lapic_state lapic = t.must(t.vcpu().get_lapic());
  set(lapic, 0x80, 0x30);        // TPR
  set(lapic, 0xd0, 0x02000000);  // LDR
  set(lapic, 0xf0, 0x1ff);       // SVR: enabled
  set(lapic, 0x320, 0x100ec);    // LVT timer
  set(lapic, 0x360, 0x400);      // LINT1: NMI
  set(lapic, 0x3e0, 0xb);        // timer divider
  t.must(t.vcpu().set_lapic(lapic));
  const kvm_lapic_state got = t.must(t.vcpu().get_lapic());
  for (u32 offset : {0x80u, 0xd0u, 0xf0u, 0x320u, 0x360u, 0x3e0u}) {
    EXPECT_EQ(reg(got, offset), reg(lapic, offset)) << fmt::format("register {:#x}", offset);
  }
}

KVM_TEST("vcpu.set_lapic", "requested_and_serviced_vectors_are_read_back", "api.rst 4.58")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  kvm_lapic_state lapic = t.must(t.vcpu().get_lapic());
  set(lapic, 0xf0, 0x1ff);
  set(lapic, 0x220, 1u << 5);   // IRR: vector 0x45
  set(lapic, 0x130, 1u << 16);  // ISR: vector 0x70
  t.must(t.vcpu().set_lapic(lapic));
  const kvm_lapic_state got = t.must(t.vcpu().get_lapic());
  EXPECT_EQ(reg(got, 0x220), 1u << 5);
  EXPECT_EQ(reg(got, 0x130), 1u << 16);
}

KVM_TEST("vcpu.set_lapic", "task_priority_shows_as_cr8", "api.rst 4.58; SDM 3A 11.8.6")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  kvm_lapic_state lapic = t.must(t.vcpu().get_lapic());
  set(lapic, 0x80, 0x60);
  t.must(t.vcpu().set_lapic(lapic));
  EXPECT_EQ(t.must(t.vcpu().get_sregs()).cr8, 6u);
}

// vcpu 3 in x2APIC mode.
kvmapi::Vcpu x2apic_vcpu(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto vcpu = t.must(t.vm().create_vcpu(3));
  t.must(vcpu.set_cpuid2(t.must(t.system().get_supported_cpuid())));
  t.must(vcpu.set_msr(0x1b, 0xfee00c00));
  return vcpu;
}

KVM_TEST("vcpu.get_lapic", "x2apic_id_is_in_the_high_byte_by_default", "api.rst 4.57, 7.7",
         {.needs = {.cpu = cpu_feature::kX2apic}})
(Ctx& t) {
  const auto vcpu = x2apic_vcpu(t);
  EXPECT_EQ(reg(t.must(vcpu.get_lapic()), 0x20), 3u << 24);
}

KVM_TEST("vcpu.get_lapic", "x2apic_id_is_32_bits_wide_when_asked_for", "api.rst 4.57, 7.7",
         {.needs = {.cpu = cpu_feature::kX2apic}})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::X2apicApi, kvmapi::kX2apicApiUse32bitIds));
  const auto vcpu = x2apic_vcpu(t);
  EXPECT_EQ(reg(t.must(vcpu.get_lapic()), 0x20), 3u);
}

KVM_TEST("vcpu.set_lapic", "foreign_x2apic_id_is_einval_with_32_bit_ids", "kvm_apic_state_fixup",
         {.needs = {.cpu = cpu_feature::kX2apic}, .status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::X2apicApi, kvmapi::kX2apicApiUse32bitIds));
  const auto vcpu = x2apic_vcpu(t);
  auto lapic = t.must(vcpu.get_lapic());
  EXPECT_THAT(vcpu.set_lapic(lapic), Returns(0));
  set(lapic, 0x20, 4);
  EXPECT_THAT(vcpu.set_lapic(lapic), FailsWith(EINVAL));
}

}  // namespace
}  // namespace conformance
