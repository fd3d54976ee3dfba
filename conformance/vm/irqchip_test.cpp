// KVM_GET_IRQCHIP and KVM_SET_IRQCHIP: state of the two PICs and the I/O APIC.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kIrqchipIoapic;
using kvmapi::kIrqchipPicMaster;
using kvmapi::kIrqchipPicSlave;
using kvmapi::kvm_ioapic_state;
using kvmapi::kvm_irqchip;
using kvmapi::kvm_pic_state;

constexpr IoctlCase kGet[] = {
    {.name = "without_irqchip_is_enxio",
     .call = [](Ctx& t) { return t.vm().get_irqchip(kIrqchipPicMaster); },
     .expect = fails(ENXIO),
     .status = Abi::observed},
    {.name = "master_pic_is_readable",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().get_irqchip(kIrqchipPicMaster);
         },
     .expect = succeeds()},
    {.name = "slave_pic_is_readable",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().get_irqchip(kIrqchipPicSlave);
         },
     .expect = succeeds()},
    {.name = "ioapic_is_readable",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().get_irqchip(kIrqchipIoapic);
         },
     .expect = succeeds()},
    {.name = "chip_3_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().get_irqchip(3);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "missing_irqchip_wins_over_unknown_chip",
     .call = [](Ctx& t) { return t.vm().get_irqchip(3); },
     .expect = fails(ENXIO),
     .status = Abi::observed},
};
KVM_ROWS("vm.get_irqchip", "api.rst 4.26", kGet);

constexpr IoctlCase kSet[] = {
    {.name = "without_irqchip_is_enxio",
     .call = [](Ctx& t) { return t.vm().set_irqchip({.chip_id = kIrqchipPicMaster}); },
     .expect = fails(ENXIO),
     .status = Abi::observed},
    {.name = "chip_3_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().set_irqchip({.chip_id = 3});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "what_was_read_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().create_irqchip());
           return t.vm().set_irqchip(t.must(t.vm().get_irqchip(kIrqchipIoapic)));
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vm.set_irqchip", "api.rst 4.27", kSet);

KVM_TEST("vm.get_irqchip", "ioapic_starts_with_all_pins_masked", "82093AA 3.2.4; kvm_ioapic_reset")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  const auto ioapic = t.must(t.vm().get_irqchip(kIrqchipIoapic)).chip.as<kvm_ioapic_state>();
  EXPECT_EQ(ioapic.base_address, 0xfec00000u);
  EXPECT_EQ(ioapic.ioregsel, 0u);
  EXPECT_EQ(ioapic.irr, 0u);
  for (int pin = 0; pin < 24; ++pin) EXPECT_EQ(ioapic.redirtbl[pin], 0x10000u) << "pin " << pin;
}

KVM_TEST("vm.get_irqchip", "pics_start_with_elcr_masks", "kvm_pic_init", {.status = Abi::observed})(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_EQ(t.must(t.vm().get_irqchip(kIrqchipPicMaster)).chip.as<kvm_pic_state>().elcr_mask, 0xf8);
  EXPECT_EQ(t.must(t.vm().get_irqchip(kIrqchipPicSlave)).chip.as<kvm_pic_state>().elcr_mask, 0xde);
}

KVM_TEST("vm.get_irqchip", "chip_id_is_kept_in_the_answer", "api.rst 4.26")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  for (u32 chip : {kIrqchipPicMaster, kIrqchipPicSlave, kIrqchipIoapic}) {
    EXPECT_EQ(t.must(t.vm().get_irqchip(chip)).chip_id, chip);
  }
}

KVM_TEST("vm.set_irqchip", "ioapic_state_is_read_back", "api.rst 4.27")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  kvm_irqchip chip = t.must(t.vm().get_irqchip(kIrqchipIoapic));
  auto ioapic = chip.chip.as<kvm_ioapic_state>();
  ioapic.ioregsel = 0x10;
  ioapic.id = 5;
  ioapic.redirtbl[3] = 0x0200000000010033;   // masked, vector 0x33, destination 2
  ioapic.redirtbl[23] = 0x0100000000018045;  // masked, level, vector 0x45
  chip.chip.set(ioapic);
  t.must(t.vm().set_irqchip(chip));
  EXPECT_TRUE(same_bytes(t.must(t.vm().get_irqchip(kIrqchipIoapic)).chip.as<kvm_ioapic_state>(), ioapic));
}

KVM_TEST("vm.set_irqchip", "pic_state_is_read_back", "api.rst 4.27")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  for (u32 id : {kIrqchipPicMaster, kIrqchipPicSlave}) {
    kvm_irqchip chip = t.must(t.vm().get_irqchip(id));
    auto pic = chip.chip.as<kvm_pic_state>();
    pic.imr = 0xfb;
    pic.irq_base = static_cast<u8>(0x20 + 8 * id);
    pic.priority_add = 3;
    pic.auto_eoi = 1;
    chip.chip.set(pic);
    t.must(t.vm().set_irqchip(chip));
    EXPECT_TRUE(same_bytes(t.must(t.vm().get_irqchip(id)).chip.as<kvm_pic_state>(), pic)) << "chip " << id;
  }
}

KVM_TEST("vm.set_irqchip", "setting_one_pic_leaves_the_other", "api.rst 4.27")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  const auto slave = t.must(t.vm().get_irqchip(kIrqchipPicSlave));
  kvm_irqchip master = t.must(t.vm().get_irqchip(kIrqchipPicMaster));
  auto pic = master.chip.as<kvm_pic_state>();
  pic.imr = 0x55;
  master.chip.set(pic);
  t.must(t.vm().set_irqchip(master));
  EXPECT_TRUE(same_bytes(t.must(t.vm().get_irqchip(kIrqchipPicSlave)).chip.as<kvm_pic_state>(),
                         slave.chip.as<kvm_pic_state>()));
}

}  // namespace
}  // namespace conformance
