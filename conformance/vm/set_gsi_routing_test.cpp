// KVM_SET_GSI_ROUTING: which tables are accepted, and that a table replaces the one before.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::IrqRouting;
using kvmapi::kvm_irq_routing_entry;

kvm_irq_routing_entry to_pin(u32 gsi, u32 chip, u32 pin) {
  kvm_irq_routing_entry entry{.gsi = gsi, .type = kvmapi::kIrqRoutingIrqchip};
  entry.u.set(kvmapi::kvm_irq_routing_irqchip{.irqchip = chip, .pin = pin});
  return entry;
}

kvm_irq_routing_entry to_msi(u32 gsi, u32 address_hi = 0) {
  kvm_irq_routing_entry entry{.gsi = gsi, .type = kvmapi::kIrqRoutingMsi};
  entry.u.set(kvmapi::kvm_irq_routing_msi{.address_lo = 0xfee00000, .address_hi = address_hi, .data = 0x40});
  return entry;
}

kvmapi::Result<int> route(Ctx& t, std::initializer_list<kvm_irq_routing_entry> entries) {
  return t.vm().set_gsi_routing(IrqRouting(entries));
}

constexpr IoctlCase kNoChip[] = {
    {.name = "without_irqchip_is_einval",
     .call = [](Ctx& t) { return route(t, {}); },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_arch_can_set_irq_routing"},
};
KVM_ROWS("vm.set_gsi_routing", "api.rst 4.52", kNoChip);

// Each with a full irqchip.
template <auto kEntries>
constexpr Call kFull = [](Ctx& t) {
  t.must(t.vm().create_irqchip());
  return kEntries(t);
};

constexpr IoctlCase kRows[] = {
    {.name = "empty_table_is_accepted", .call = kFull<[](Ctx& t) { return route(t, {}); }>, .expect = succeeds(0)},
    {.name = "ioapic_pin_is_accepted",
     .call = kFull<[](Ctx& t) { return route(t, {to_pin(5, kvmapi::kIrqchipIoapic, 5)}); }>,
     .expect = succeeds(0)},
    {.name = "gsi_need_not_be_the_pin",
     .call = kFull<[](Ctx& t) { return route(t, {to_pin(100, kvmapi::kIrqchipIoapic, 3)}); }>,
     .expect = succeeds(0)},
    {.name = "one_gsi_to_pic_and_ioapic_is_accepted",
     .call = kFull<[](Ctx& t) {
       return route(t, {to_pin(5, kvmapi::kIrqchipPicMaster, 5), to_pin(5, kvmapi::kIrqchipIoapic, 5)});
     }>,
     .expect = succeeds(0)},
    {.name = "one_gsi_twice_to_one_chip_is_einval",
     .call = kFull<[](Ctx& t) {
       return route(t, {to_pin(5, kvmapi::kIrqchipIoapic, 5), to_pin(5, kvmapi::kIrqchipIoapic, 6)});
     }>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "one_gsi_to_msi_and_pin_is_einval",
     .call = kFull<[](Ctx& t) {
       return route(t, {to_msi(5), to_pin(5, kvmapi::kIrqchipIoapic, 5)});
     }>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "one_gsi_to_two_msis_is_einval",
     .call = kFull<[](Ctx& t) {
       return route(t, {to_msi(5), to_msi(5)});
     }>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "two_gsis_to_one_pin_are_accepted",
     .call = kFull<[](Ctx& t) {
       return route(t, {to_pin(5, kvmapi::kIrqchipIoapic, 5), to_pin(6, kvmapi::kIrqchipIoapic, 5)});
     }>,
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "msi_is_accepted", .call = kFull<[](Ctx& t) { return route(t, {to_msi(24)}); }>, .expect = succeeds(0)},
    {.name = "msi_with_high_address_is_accepted_in_8_bit_id_mode",
     .call = kFull<[](Ctx& t) { return route(t, {to_msi(24, 0x12)}); }>,
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_msi_route_invalid"},
    {.name = "last_gsi_4095_is_accepted",
     .call = kFull<[](Ctx& t) { return route(t, {to_msi(4095)}); }>,
     .expect = succeeds(0)},
    {.name = "gsi_4096_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {to_msi(4096)}); }>,
     .expect = fails(EINVAL)},
    {.name = "type_0_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {{.gsi = 5, .type = 0}}); }>,
     .expect = fails(EINVAL)},
    {.name = "unknown_type_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {{.gsi = 5, .type = 99}}); }>,
     .expect = fails(EINVAL)},
    {.name = "s390_adapter_type_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {{.gsi = 5, .type = kvmapi::kIrqRoutingS390Adapter}}); }>,
     .expect = fails(EINVAL)},
    {.name = "ioapic_pin_24_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {to_pin(5, kvmapi::kIrqchipIoapic, 24)}); }>,
     .expect = fails(EINVAL)},
    {.name = "pic_pin_8_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {to_pin(5, kvmapi::kIrqchipPicMaster, 8)}); }>,
     .expect = fails(EINVAL)},
    {.name = "chip_3_is_einval",
     .call = kFull<[](Ctx& t) { return route(t, {to_pin(5, 3, 0)}); }>,
     .expect = fails(EINVAL)},
    {.name = "flags_of_a_pin_entry_are_einval",
     .call = kFull<[](Ctx& t) {
       kvm_irq_routing_entry entry = to_pin(5, kvmapi::kIrqchipIoapic, 5);
       entry.flags = 1;
       return route(t, {entry});
     }>,
     .expect = fails(EINVAL)},
    {.name = "unknown_flags_of_an_msi_entry_are_einval",
     .call = kFull<[](Ctx& t) {
       kvm_irq_routing_entry entry = to_msi(24);
       entry.flags = 2;
       return route(t, {entry});
     }>,
     .expect = fails(EINVAL)},
    {.name = "flags_of_the_table_are_einval",
     .call = kFull<[](Ctx& t) {
       IrqRouting table{to_msi(24)};
       table->flags = 1;
       return t.vm().set_gsi_routing(table);
     }>,
     .expect = fails(EINVAL)},
    {.name = "count_4097_is_einval_before_the_entries_are_read",
     .call = kFull<[](Ctx& t) {
       const LastBytes end(sizeof(kvmapi::kvm_irq_routing));
       end.as<kvmapi::kvm_irq_routing>().nr = 4097;
       return t.vm().raw(Ioctl::SetGsiRouting, end.address());
     }>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "entries_in_unmapped_memory_are_efault",
     .call = kFull<[](Ctx& t) {
       const LastBytes end(sizeof(kvmapi::kvm_irq_routing));
       end.as<kvmapi::kvm_irq_routing>().nr = 1;
       return t.vm().raw(Ioctl::SetGsiRouting, end.address());
     }>,
     .expect = fails(EFAULT),
     .status = Abi::observed},
    {.name = "split_irqchip_takes_msi",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return route(t, {to_msi(24)});
         },
     .expect = succeeds(0),
     .source = "api.rst 7.5"},
    {.name = "split_irqchip_takes_no_pin",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           return route(t, {to_pin(5, kvmapi::kIrqchipIoapic, 5)});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_set_routing_entry"},
    {.name = "xapic_destination_bits_of_an_msi_are_einval_in_32_bit_id_mode",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::X2apicApi, kvmapi::kX2apicApiUse32bitIds));
           t.must(t.vm().create_irqchip());
           return route(t, {to_msi(24, 0x12)});
         },
     .expect = fails(EINVAL),
     .source = "api.rst 4.52, 7.7"},
};
KVM_ROWS("vm.set_gsi_routing", "api.rst 4.52", kRows);

KVM_TEST("vm.set_gsi_routing", "new_table_replaces_the_default_one", "api.rst 4.52")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(route(t, {to_pin(4, kvmapi::kIrqchipPicMaster, 6)}));
  t.must(t.vm().irq_line(4, 1));
  t.must(t.vm().irq_line(5, 1));
  EXPECT_EQ(t.must(t.vm().get_irqchip(0)).chip.as<kvmapi::kvm_pic_state>().irr, 1 << 6);
}

KVM_TEST("vm.set_gsi_routing", "failed_call_leaves_the_old_table", "kvm_set_irq_routing", {.status = Abi::sane})
(Ctx& t) {
  t.must(t.vm().create_irqchip());
  EXPECT_THAT(route(t, {to_pin(4, kvmapi::kIrqchipPicMaster, 6), to_pin(4, 3, 0)}), FailsWith(EINVAL));
  t.must(t.vm().irq_line(4, 1));
  EXPECT_EQ(t.must(t.vm().get_irqchip(0)).chip.as<kvmapi::kvm_pic_state>().irr, 1 << 4);
}

KVM_TEST("vm.set_gsi_routing", "empty_table_disconnects_everything", "api.rst 4.52")(Ctx& t) {
  t.must(t.vm().create_irqchip());
  t.must(route(t, {}));
  kvmapi::kvm_irq_level level{.irq = 4, .level = 1};
  t.must(t.vm().irq_line_status(level));
  EXPECT_EQ(static_cast<s32>(level.irq), -1);
}

}  // namespace
}  // namespace conformance
