// KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO: zones whose writes are collected in a ring instead of
// ending KVM_RUN.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_coalesced_mmio;
using kvmapi::kvm_coalesced_mmio_ring;
using kvmapi::kvm_coalesced_mmio_zone;

constexpr kvm_coalesced_mmio_zone kMemory{.addr = 0x300000, .size = 0x1000};
constexpr kvm_coalesced_mmio_zone kPort{.addr = 0x10, .size = 4, .pio = 1};

constexpr IoctlCase kRegister[] = {
    {.name = "memory_zone_is_accepted",
     .call = [](Ctx& t) { return t.vm().register_coalesced_mmio(kMemory); },
     .expect = succeeds(0)},
    {.name = "port_zone_is_accepted",
     .call = [](Ctx& t) { return t.vm().register_coalesced_mmio(kPort); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::CoalescedPio}},
    {.name = "kind_2_is_einval",
     .call = [](Ctx& t) { return t.vm().register_coalesced_mmio({.addr = 0x300000, .size = 0x1000, .pio = 2}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "size_0_is_accepted",
     .call = [](Ctx& t) { return t.vm().register_coalesced_mmio({.addr = 0x300000, .size = 0}); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "same_zone_twice_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().register_coalesced_mmio(kMemory));
           return t.vm().register_coalesced_mmio(kMemory);
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "overlapping_zones_are_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().register_coalesced_mmio(kMemory));
           return t.vm().register_coalesced_mmio({.addr = 0x300800, .size = 0x1000});
         },
     .expect = succeeds(0),
     .status = Abi::observed},
};
KVM_ROWS("vm.register_coalesced_mmio", "api.rst 4.116", kRegister);

constexpr IoctlCase kUnregister[] = {
    {.name = "registered_zone_is_accepted",
     .call =
         [](Ctx& t) {
           t.must(t.vm().register_coalesced_mmio(kMemory));
           return t.vm().unregister_coalesced_mmio(kMemory);
         },
     .expect = succeeds(0)},
    {.name = "zone_that_is_not_there_is_no_error",
     .call = [](Ctx& t) { return t.vm().unregister_coalesced_mmio(kMemory); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "kind_2_is_einval",
     .call = [](Ctx& t) { return t.vm().unregister_coalesced_mmio({.addr = 0x300000, .size = 0x1000, .pio = 2}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
};
KVM_ROWS("vm.unregister_coalesced_mmio", "api.rst 4.116", kUnregister);

kvm_coalesced_mmio entry(Ctx& t, u32 index) {
  kvm_coalesced_mmio value;
  std::memcpy(&value, reinterpret_cast<const u8*>(t.vcpu().coalesced_mmio_ring() + 1) + index * sizeof value,
              sizeof value);
  return value;
}

// The data segment lies over the zone, the code writes ax to [0] and al to [5].
void load_writer(Ctx& t) {
  load(t, {0xb8, 0x34, 0x12, 0xa3, 0x00, 0x00, 0xa2, 0x05, 0x00, 0xf4});
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = 0x300000;
  t.must(t.vcpu().set_sregs(sregs));
}

KVM_TEST("vm.register_coalesced_mmio", "writes_are_collected_in_order_without_ending_run", "api.rst 4.116")(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio(kMemory));
  load_writer(t);
  run_to_halt(t);
  const kvm_coalesced_mmio_ring* ring = t.vcpu().coalesced_mmio_ring();
  ASSERT_NE(ring, nullptr);
  ASSERT_EQ(ring->first, 0u);
  ASSERT_EQ(ring->last, 2u);
  EXPECT_EQ(entry(t, 0).phys_addr, 0x300000u);
  EXPECT_EQ(entry(t, 0).len, 2u);
  EXPECT_EQ(entry(t, 0).pio, 0u);
  EXPECT_EQ(entry(t, 0).data[0], 0x34);
  EXPECT_EQ(entry(t, 0).data[1], 0x12);
  EXPECT_EQ(entry(t, 1).phys_addr, 0x300005u);
  EXPECT_EQ(entry(t, 1).len, 1u);
  EXPECT_EQ(entry(t, 1).data[0], 0x34);
}

KVM_TEST("vm.register_coalesced_mmio", "port_writes_are_collected_and_marked", "api.rst 4.116",
         {.needs = {.cap = Cap::CoalescedPio}})
(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio(kPort));
  load(t, {0xb0, 0x77, 0xe6, 0x11, 0xf4});  // mov al, 0x77; out 0x11, al; hlt
  run_to_halt(t);
  ASSERT_EQ(t.vcpu().coalesced_mmio_ring()->last, 1u);
  EXPECT_EQ(entry(t, 0).phys_addr, 0x11u);
  EXPECT_EQ(entry(t, 0).len, 1u);
  EXPECT_EQ(entry(t, 0).pio, 1u);
  EXPECT_EQ(entry(t, 0).data[0], 0x77);
}

KVM_TEST("vm.register_coalesced_mmio", "full_ring_ends_run_with_the_write", "api.rst 4.116; coalesced_mmio_has_room")
(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio(kMemory));
  load_writer(t);
  kvm_coalesced_mmio_ring* ring = t.vcpu().coalesced_mmio_ring();
  ring->first = 1;  // one free place is always kept: 0 .. last before first
  ring->last = 0;
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Mmio);
  EXPECT_EQ(ring->last, 0u);
}

KVM_TEST("vm.register_coalesced_mmio", "write_outside_the_zone_ends_run", "api.rst 4.116")(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio({.addr = 0x300000, .size = 4}));
  load_writer(t);  // the second write is at offset 5
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Mmio);
  EXPECT_EQ(t.vcpu().coalesced_mmio_ring()->last, 1u);
}

KVM_TEST("vm.unregister_coalesced_mmio", "writes_end_run_again", "api.rst 4.116")(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio(kMemory));
  t.must(t.vm().unregister_coalesced_mmio(kMemory));
  load_writer(t);
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Mmio);
}

KVM_TEST("vm.unregister_coalesced_mmio", "part_of_a_zone_removes_the_whole_zone",
         "kvm_vm_ioctl_unregister_coalesced_mmio", {.status = Abi::observed})
(Ctx& t) {
  t.must(t.vm().register_coalesced_mmio(kMemory));
  t.must(t.vm().unregister_coalesced_mmio({.addr = 0x300100, .size = 4}));
  load_writer(t);
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Mmio);
}

}  // namespace
}  // namespace conformance
