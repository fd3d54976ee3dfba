// KVM_IRQFD: eventfds that raise a GSI. Rules of assigning and taking back, and that a signal arrives.
#include <poll.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/event_fd.hpp"

namespace conformance {
namespace {

using kvmapi::kIrqfdFlagDeassign;
using kvmapi::kIrqfdFlagResample;

kvmapi::kvm_irqfd irqfd(const EventFd& event, u32 gsi, u32 flags = 0) {
  return {.fd = static_cast<u32>(event.fd()), .gsi = gsi, .flags = flags};
}

void full(Ctx& t) { t.must(t.vm().create_irqchip()); }

constexpr IoctlCase kRows[] = {
    {.name = "without_irqchip_is_einval",
     .call =
         [](Ctx& t) {
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 4));
         },
     .expect = fails_with_one_of(EAGAIN, EINVAL),
     .status = Abi::observed,
     .source = "kvm_irqfd_assign"},
    {.name = "assigning_is_accepted",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 4));
         },
     .expect = succeeds(0)},
    {.name = "gsi_without_a_route_is_accepted",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 1000));
         },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "descriptor_that_is_no_eventfd_is_einval",
     .call =
         [](Ctx& t) {
           full(t);
           return t.vm().irqfd({.fd = static_cast<u32>(t.system().fd()), .gsi = 4});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "closed_descriptor_is_ebadf",
     .call =
         [](Ctx& t) {
           full(t);
           return t.vm().irqfd({.fd = 0x7fffffff, .gsi = 4});
         },
     .expect = fails(EBADF),
     .status = Abi::observed},
    {.name = "unknown_flag_is_einval",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 4, 4));
         },
     .expect = fails(EINVAL)},
    {.name = "unknown_flag_wins_over_closed_descriptor",
     .call =
         [](Ctx& t) {
           full(t);
           return t.vm().irqfd({.fd = 0x7fffffff, .gsi = 4, .flags = 4});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "same_eventfd_twice_is_ebusy",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           t.must(t.vm().irqfd(irqfd(event, 4)));
           return t.vm().irqfd(irqfd(event, 5));
         },
     .expect = fails(EBUSY),
     .status = Abi::observed,
     .source = "kvm_irqfd_assign"},
    {.name = "two_eventfds_on_one_gsi_are_accepted",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd a;
           const EventFd b;
           t.must(t.vm().irqfd(irqfd(a, 4)));
           return t.vm().irqfd(irqfd(b, 4));
         },
     .expect = succeeds(0)},
    {.name = "taking_back_is_accepted",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           t.must(t.vm().irqfd(irqfd(event, 4)));
           return t.vm().irqfd(irqfd(event, 4, kIrqfdFlagDeassign));
         },
     .expect = succeeds(0)},
    {.name = "after_taking_back_it_can_be_assigned_again",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           t.must(t.vm().irqfd(irqfd(event, 4)));
           t.must(t.vm().irqfd(irqfd(event, 4, kIrqfdFlagDeassign)));
           return t.vm().irqfd(irqfd(event, 5));
         },
     .expect = succeeds(0)},
    {.name = "taking_back_what_was_never_assigned_is_no_error",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 4, kIrqfdFlagDeassign));
         },
     .expect = succeeds(0),
     .status = Abi::observed,
     .source = "kvm_irqfd_deassign"},
    {.name = "taking_back_with_another_gsi_is_no_error_and_does_nothing",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           t.must(t.vm().irqfd(irqfd(event, 4)));
           t.must(t.vm().irqfd(irqfd(event, 5, kIrqfdFlagDeassign)));
           return t.vm().irqfd(irqfd(event, 5));
         },
     .expect = fails(EBUSY),
     .status = Abi::observed,
     .source = "kvm_irqfd_deassign"},
    {.name = "taking_back_a_descriptor_that_is_no_eventfd_is_einval",
     .call =
         [](Ctx& t) {
           full(t);
           return t.vm().irqfd({.fd = static_cast<u32>(t.system().fd()), .gsi = 4, .flags = kIrqfdFlagDeassign});
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "resample_is_accepted_with_a_full_irqchip",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           const EventFd resample;
           auto with_resample = irqfd(event, 4, kIrqfdFlagResample);
           with_resample.resamplefd = static_cast<u32>(resample.fd());
           return t.vm().irqfd(with_resample);
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::IrqfdResample}},
    {.name = "resample_with_a_split_irqchip_is_einval",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           const EventFd event;
           const EventFd resample;
           auto with_resample = irqfd(event, 4, kIrqfdFlagResample);
           with_resample.resamplefd = static_cast<u32>(resample.fd());
           return t.vm().irqfd(with_resample);
         },
     .expect = fails(EINVAL),
     .needs = {.cap = Cap::IrqfdResample},
     .status = Abi::observed,
     .source = "kvm_arch_irqfd_allowed"},
    {.name = "resample_with_a_closed_descriptor_is_ebadf",
     .call =
         [](Ctx& t) {
           full(t);
           const EventFd event;
           auto with_resample = irqfd(event, 4, kIrqfdFlagResample);
           with_resample.resamplefd = 0x7fffffff;
           return t.vm().irqfd(with_resample);
         },
     .expect = fails(EBADF),
     .needs = {.cap = Cap::IrqfdResample},
     .status = Abi::observed},
    {.name = "split_irqchip_is_enough",
     .call =
         [](Ctx& t) {
           t.must(t.vm().enable_cap(Cap::SplitIrqchip, 24));
           const EventFd event;
           return t.vm().irqfd(irqfd(event, 24));
         },
     .expect = succeeds(0),
     .source = "api.rst 7.5"},
};
KVM_ROWS("vm.irqfd", "api.rst 4.75", kRows);

// Injection runs in a kernel thread: waits until the PIC shows the request, at most 5 s.
bool is_requested_soon(Ctx& t, int irq) {
  for (int i = 0; i < 500; ++i) {
    if ((t.must(t.vm().get_irqchip(0)).chip.as<kvmapi::kvm_pic_state>().irr >> irq & 1) != 0) return true;
    ::poll(nullptr, 0, 10);
  }
  return false;
}

KVM_TEST("vm.irqfd", "signal_raises_the_gsi", "api.rst 4.75")(Ctx& t) {
  full(t);
  EventFd event;
  t.must(t.vm().irqfd(irqfd(event, 4)));
  event.signal();
  EXPECT_TRUE(is_requested_soon(t, 4));
}

KVM_TEST("vm.irqfd", "signal_given_before_assigning_is_not_lost", "kvm_irqfd_assign", {.status = Abi::observed})
(Ctx& t) {
  full(t);
  EventFd event;
  event.signal();
  t.must(t.vm().irqfd(irqfd(event, 4)));
  EXPECT_TRUE(is_requested_soon(t, 4));
}

KVM_TEST("vm.irqfd", "signal_after_taking_back_raises_nothing", "api.rst 4.75")(Ctx& t) {
  full(t);
  EventFd event;
  EventFd other;
  t.must(t.vm().irqfd(irqfd(event, 4)));
  t.must(t.vm().irqfd(irqfd(event, 4, kIrqfdFlagDeassign)));
  t.must(t.vm().irqfd(irqfd(other, 5)));
  event.signal();
  other.signal();  // the same kernel thread works in order: once this arrives, the first would have
  EXPECT_TRUE(is_requested_soon(t, 5));
  EXPECT_EQ(t.must(t.vm().get_irqchip(0)).chip.as<kvmapi::kvm_pic_state>().irr & (1 << 4), 0);
}

}  // namespace
}  // namespace conformance
