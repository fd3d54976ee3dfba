// KVM_IOEVENTFD: eventfds signalled by guest writes. Rules of assigning and taking back; that a write signals instead
// of ending KVM_RUN. Writes narrower than the alignment of a data match stop 5.10 kernels for good and are not tried.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/event_fd.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kIoeventfdFlagDatamatch;
using kvmapi::kIoeventfdFlagDeassign;
using kvmapi::kIoeventfdFlagPio;
using kvmapi::kvm_ioeventfd;

kvm_ioeventfd at(const EventFd& event, u64 address, u32 length, u32 flags = 0, u64 datamatch = 0) {
  return {.datamatch = datamatch, .addr = address, .len = length, .fd = event.fd(), .flags = flags};
}

// Assigns one eventfd and answers.
template <u64 kAddress, u32 kLength, u32 kFlags = 0>
constexpr Call kAssign = [](Ctx& t) {
  const EventFd event;
  return t.vm().ioeventfd(at(event, kAddress, kLength, kFlags));
};

constexpr IoctlCase kAssignRows[] = {
    {.name = "length_1_is_accepted", .call = kAssign<0xfe000000, 1>, .expect = succeeds(0)},
    {.name = "length_2_is_accepted", .call = kAssign<0xfe000000, 2>, .expect = succeeds(0)},
    {.name = "length_4_is_accepted", .call = kAssign<0xfe000000, 4>, .expect = succeeds(0)},
    {.name = "length_8_is_accepted", .call = kAssign<0xfe000000, 8>, .expect = succeeds(0)},
    {.name = "length_0_is_any_length",
     .call = kAssign<0xfe000000, 0>,
     .expect = succeeds(0),
     .needs = {.cap = Cap::IoeventfdAnyLength}},
    {.name = "length_3_is_einval", .call = kAssign<0xfe000000, 3>, .expect = fails(EINVAL)},
    {.name = "length_5_is_einval", .call = kAssign<0xfe000000, 5>, .expect = fails(EINVAL)},
    {.name = "length_16_is_einval", .call = kAssign<0xfe000000, 16>, .expect = fails(EINVAL)},
    {.name = "address_range_that_wraps_is_einval",
     .call = kAssign<~u64{0} - 1, 4>,
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "port_is_accepted", .call = kAssign<0x3f8, 1, kIoeventfdFlagPio>, .expect = succeeds(0)},
    {.name = "unknown_flag_is_einval", .call = kAssign<0xfe000000, 4, 0x100>, .expect = fails(EINVAL)},
    {.name = "virtio_ccw_flag_is_accepted_without_effect",
     .call = kAssign<0xfe000000, 4, kvmapi::kIoeventfdFlagVirtioCcwNotify>,
     .expect = succeeds(),
     .status = Abi::observed},
    {.name = "data_match_is_accepted", .call = kAssign<0xfe000000, 4, kIoeventfdFlagDatamatch>, .expect = succeeds(0)},
    {.name = "data_match_with_length_0_is_einval",
     .call = kAssign<0xfe000000, 0, kIoeventfdFlagDatamatch>,
     .expect = fails(EINVAL)},
    {.name = "descriptor_that_is_no_eventfd_is_einval",
     .call = [](Ctx& t) { return t.vm().ioeventfd({.addr = 0xfe000000, .len = 4, .fd = t.system().fd()}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "closed_descriptor_is_ebadf",
     .call = [](Ctx& t) { return t.vm().ioeventfd({.addr = 0xfe000000, .len = 4, .fd = -1}); },
     .expect = fails(EBADF),
     .status = Abi::observed},
    {.name = "bad_length_wins_over_closed_descriptor",
     .call = [](Ctx& t) { return t.vm().ioeventfd({.addr = 0xfe000000, .len = 3, .fd = -1}); },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "needs_no_irqchip_and_no_vcpu", .call = kAssign<0xfe000000, 4>, .expect = succeeds(0)},
};
KVM_ROWS("vm.ioeventfd", "api.rst 4.59", kAssignRows);

constexpr IoctlCase kCollisions[] = {
    {.name = "same_place_without_data_match_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 4));
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "ioeventfd_check_collision"},
    {.name = "same_place_with_other_data_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 4, kIoeventfdFlagDatamatch, 2));
         },
     .expect = succeeds(0)},
    {.name = "same_place_with_same_data_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1));
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "ioeventfd_check_collision"},
    {.name = "data_match_beside_a_catch_all_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1));
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "ioeventfd_check_collision"},
    {.name = "same_address_with_another_length_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 2));
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "ioeventfd_check_collision"},
    {.name = "any_length_beside_a_length_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 0));
         },
     .expect = fails(EEXIST),
     .status = Abi::observed,
     .source = "ioeventfd_check_collision"},
    {.name = "port_and_memory_at_one_number_are_accepted",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0x1000, 4)));
           return t.vm().ioeventfd(at(b, 0x1000, 4, kIoeventfdFlagPio));
         },
     .expect = succeeds(0)},
    {.name = "one_eventfd_at_two_places_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(a, 0xfe000004, 4));
         },
     .expect = succeeds(0)},
};
KVM_ROWS("vm.ioeventfd", "api.rst 4.59", kCollisions);

constexpr IoctlCase kDeassign[] = {
    {.name = "taking_back_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDeassign));
         },
     .expect = succeeds(0)},
    {.name = "taking_back_frees_the_place",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDeassign)));
           return t.vm().ioeventfd(at(a, 0xfe000000, 4));
         },
     .expect = succeeds(0)},
    {.name = "taking_back_what_is_not_there_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           return t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDeassign));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_with_another_address_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(a, 0xfe000004, 4, kIoeventfdFlagDeassign));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_with_another_length_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(a, 0xfe000000, 8, kIoeventfdFlagDeassign));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_with_other_data_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1)));
           return t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDatamatch | kIoeventfdFlagDeassign, 2));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_a_data_match_without_saying_so_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDatamatch, 1)));
           return t.vm().ioeventfd(at(a, 0xfe000000, 4, kIoeventfdFlagDeassign));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_with_another_eventfd_is_enoent",
     .call =
         [](Ctx& t) {
           const EventFd a;
           const EventFd b;
           t.must(t.vm().ioeventfd(at(a, 0xfe000000, 4)));
           return t.vm().ioeventfd(at(b, 0xfe000000, 4, kIoeventfdFlagDeassign));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed},
    {.name = "taking_back_checks_no_length_and_no_flag",
     .call =
         [](Ctx& t) {
           const EventFd a;
           return t.vm().ioeventfd(at(a, 0xfe000000, 3, kIoeventfdFlagDeassign | 0x100));
         },
     .expect = fails(ENOENT),
     .status = Abi::observed,
     .source = "kvm_deassign_ioeventfd"},
};
KVM_ROWS("vm.ioeventfd", "api.rst 4.59", kDeassign);

KVM_TEST("vm.ioeventfd", "port_write_signals_and_does_not_end_run", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio)));
  load(t, {0xe6, 0x10, 0xe6, 0x10, 0xf4});  // out 0x10, al; out 0x10, al; hlt
  run_to_halt(t);
  EXPECT_EQ(event.take(), 2u);
}

KVM_TEST("vm.ioeventfd", "port_write_of_another_size_still_ends_run", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio)));
  load(t, {0xe7, 0x10, 0xf4});  // out 0x10, ax
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Io);
  EXPECT_EQ(event.take(), 0u);
}

KVM_TEST("vm.ioeventfd", "any_length_takes_every_size", "api.rst 4.59", {.needs = {.cap = Cap::IoeventfdAnyLength}})
(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 0, kIoeventfdFlagPio)));
  load(t, {0xe6, 0x10, 0xe7, 0x10, 0x66, 0xe7, 0x10, 0xf4});  // out of al, ax, eax
  run_to_halt(t);
  EXPECT_EQ(event.take(), 3u);
}

KVM_TEST("vm.ioeventfd", "data_match_lets_other_data_end_run", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio | kIoeventfdFlagDatamatch, 0x55)));
  load(t, {0xb0, 0x55, 0xe6, 0x10, 0xb0, 0x56, 0xe6, 0x10, 0xf4});  // out 0x55, then 0x56
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Io);
  EXPECT_EQ(event.take(), 1u);
}

KVM_TEST("vm.ioeventfd", "reads_are_not_taken", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio)));
  load(t, {0xe4, 0x10, 0xf4});  // in al, 0x10
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Io);
  EXPECT_EQ(event.take(), 0u);
}

KVM_TEST("vm.ioeventfd", "memory_write_signals_and_does_not_end_run", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x300000, 2)));
  // Real mode reaches 0x300000 by a data segment with that base.
  load(t, {0xa3, 0x00, 0x00, 0xf4});  // mov [0], ax; hlt
  auto sregs = t.must(t.vcpu().get_sregs());
  sregs.ds.base = 0x300000;
  t.must(t.vcpu().set_sregs(sregs));
  run_to_halt(t);
  EXPECT_EQ(event.take(), 1u);
}

KVM_TEST("vm.ioeventfd", "after_taking_back_the_write_ends_run_again", "api.rst 4.59")(Ctx& t) {
  EventFd event;
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio)));
  t.must(t.vm().ioeventfd(at(event, 0x10, 1, kIoeventfdFlagPio | kIoeventfdFlagDeassign)));
  load(t, {0xe6, 0x10, 0xf4});
  t.must(t.vcpu().run());
  EXPECT_EQ(t.vcpu().exit_reason(), kvmapi::Exit::Io);
  EXPECT_EQ(event.take(), 0u);
}

}  // namespace
}  // namespace conformance
