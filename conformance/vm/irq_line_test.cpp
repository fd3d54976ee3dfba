// KVM_IRQ_LINE and KVM_IRQ_LINE_STATUS: levels of GSI inputs, seen in the PIC and the I/O APIC.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_irq_level;

u8 pic_irr(Ctx& t, u32 chip) { return t.must(t.vm().get_irqchip(chip)).chip.as<kvmapi::kvm_pic_state>().irr; }

constexpr IoctlCase kLine[] = {
    {.name = "without_irqchip_is_enxio",
     .call = [](Ctx& t) { return t.vm().irq_line(4, 1); },
     .expect = fails(ENXIO),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_irq_line"},
    {.name = "raising_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().irq_line(4, 1);
         },
     .expect = succeeds(0)},
    {.name = "gsi_without_a_route_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().irq_line(1000, 1);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_irq"},
    {.name = "gsi_far_beyond_the_table_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().irq_line(0xffffffff, 1);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_set_irq"},
    {.name = "split_irqchip_is_enough",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return t.vm().irq_line(4, 1);
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_vm_ioctl_irq_line"},
};
KVM_ROWS("vm.irq_line", "api.rst 4.25", kLine);

constexpr IoctlCase kStatus[] = {
    {.name = "without_irqchip_is_enxio",
     .call =
         [](Ctx& t) {
           kvm_irq_level level{.irq = 4, .level = 1};
           return t.vm().irq_line_status(level);
         },
     .expect = fails(ENXIO),
     .status = Abi::observed},
    {.name = "unrouted_gsi_has_status_minus_1",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           kvm_irq_level level{.irq = 1000, .level = 1};
           const auto answer = t.vm().irq_line_status(level);
           EXPECT_EQ(static_cast<s32>(level.irq), -1);
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "level_is_left_as_it_is",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           kvm_irq_level level{.irq = 4, .level = 1};
           const auto answer = t.vm().irq_line_status(level);
           EXPECT_EQ(level.level, 1u);
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "edge_that_reached_the_pic_then_again_is_coalesced",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           // Leaves only the PIC listening to GSI 4, with its mask open.
           auto chip = t.must(t.vm().get_irqchip(0));
           auto pic = chip.chip.as<kvmapi::kvm_pic_state>();
           pic.imr = 0;
           chip.chip.set(pic);
           t.must(t.vm().set_irqchip(chip));
           kvm_irq_level level{.irq = 4, .level = 1};
           t.must(t.vm().irq_line_status(level));
           EXPECT_GT(static_cast<s32>(level.irq), 0);
           t.must(t.vm().irq_line(4, 0));
           level = {.irq = 4, .level = 1};
           const auto answer = t.vm().irq_line_status(level);
           EXPECT_EQ(static_cast<s32>(level.irq), 0);
           return answer;
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "pic_set_irq1"},
};
KVM_ROWS("vm.irq_line_status", "kvm_vm_ioctl_irq_line (not in api.rst)", kStatus);

KVM_TEST("vm.irq_line", "rising_edge_sets_the_pic_request_bit", "api.rst 4.25; 8259A")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_EQ(pic_irr(t, 0), 0);
  t.must(t.vm().irq_line(4, 1));
  EXPECT_EQ(pic_irr(t, 0), 1 << 4);
}

KVM_TEST("vm.irq_line", "edge_request_stays_after_the_level_falls", "api.rst 4.25; pic_set_irq1",
         {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vm().irq_line(4, 1));
  t.must(t.vm().irq_line(4, 0));
  EXPECT_EQ(pic_irr(t, 0), 1 << 4);
}

KVM_TEST("vm.irq_line", "level_triggered_request_follows_the_level", "api.rst 4.25; pic_set_irq1",
         {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto chip = t.must(t.vm().get_irqchip(0));
  auto pic = chip.chip.as<kvmapi::kvm_pic_state>();
  pic.elcr = 1 << 5;
  chip.chip.set(pic);
  t.must(t.vm().set_irqchip(chip));
  t.must(t.vm().irq_line(5, 1));
  EXPECT_EQ(pic_irr(t, 0), 1 << 5);
  t.must(t.vm().irq_line(5, 0));
  EXPECT_EQ(pic_irr(t, 0), 0);
}

KVM_TEST("vm.irq_line", "gsi_8_to_15_reach_the_slave_pic", "api.rst 4.24")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(t.vm().irq_line(10, 1));
  EXPECT_EQ(pic_irr(t, 1), 1 << 2);
  EXPECT_EQ(pic_irr(t, 0), 1 << 2) << "the cascade input of the master";
}

KVM_TEST("vm.irq_line", "gsi_16_to_23_reach_the_ioapic_only", "api.rst 4.24")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto chip = t.must(t.vm().get_irqchip(2));
  auto ioapic = chip.chip.as<kvmapi::kvm_ioapic_state>();
  ioapic.redirtbl[20] = 0x18030;  // masked, level triggered
  chip.chip.set(ioapic);
  t.must(t.vm().set_irqchip(chip));
  t.must(t.vm().irq_line(20, 1));
  EXPECT_EQ(t.must(t.vm().get_irqchip(2)).chip.as<kvmapi::kvm_ioapic_state>().irr, 1u << 20);
  EXPECT_EQ(pic_irr(t, 0), 0);
  EXPECT_EQ(pic_irr(t, 1), 0);
}

KVM_TEST("vm.irq_line", "gsi_below_16_reaches_pic_and_ioapic", "api.rst 4.24")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto chip = t.must(t.vm().get_irqchip(2));
  auto ioapic = chip.chip.as<kvmapi::kvm_ioapic_state>();
  ioapic.redirtbl[5] = 0x18030;  // masked, level triggered
  chip.chip.set(ioapic);
  t.must(t.vm().set_irqchip(chip));
  t.must(t.vm().irq_line(5, 1));
  EXPECT_EQ(t.must(t.vm().get_irqchip(2)).chip.as<kvmapi::kvm_ioapic_state>().irr, 1u << 5);
  EXPECT_EQ(pic_irr(t, 0), 1 << 5);
}

KVM_TEST("vm.irq_line", "gsi_0_is_ioapic_pin_2", "IOAPIC_ROUTING_ENTRY; MP specification 3.6.2.2",
         {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  auto chip = t.must(t.vm().get_irqchip(2));
  auto ioapic = chip.chip.as<kvmapi::kvm_ioapic_state>();
  for (auto& entry : ioapic.redirtbl) entry = 0x18030;  // masked, level triggered
  chip.chip.set(ioapic);
  t.must(t.vm().set_irqchip(chip));
  t.must(t.vm().irq_line(0, 1));
  EXPECT_EQ(t.must(t.vm().get_irqchip(2)).chip.as<kvmapi::kvm_ioapic_state>().irr, 1u << 0);
}

}  // namespace
}  // namespace conformance
