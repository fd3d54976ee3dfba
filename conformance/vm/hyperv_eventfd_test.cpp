// KVM_HYPERV_EVENTFD: eventfds for hypercalls of a Hyper-V guest.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/event_fd.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kHyperv[] = {
    {.name = "assigning_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd event;
           return t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "same_connection_twice_is_eexist",
     .call =
         [](Ctx& t) {
           const EventFd event;
           t.must(t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()}));
           return t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()});
         },
     .expect = fails(EEXIST),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "taking_back_is_accepted",
     .call =
         [](Ctx& t) {
           const EventFd event;
           t.must(t.vm().hyperv_eventfd({.conn_id = 1, .fd = event.fd()}));
           return t.vm().hyperv_eventfd({.conn_id = 1, .flags = kvmapi::kHypervEventfdDeassign});
         },
     .expect = succeeds(0),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "taking_back_what_is_not_there_is_enoent",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .flags = kvmapi::kHypervEventfdDeassign}); },
     .expect = fails(ENOENT),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "connection_beyond_24_bits_is_einval",
     .call =
         [](Ctx& t) {
           const EventFd event;
           return t.vm().hyperv_eventfd({.conn_id = 1u << 24, .fd = event.fd()});
         },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "unknown_flag_is_einval",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .flags = 2}); },
     .expect = fails(EINVAL),
     .needs = {.vm_cap = Cap::HypervEventfd}},
    {.name = "closed_descriptor_is_ebadf",
     .call = [](Ctx& t) { return t.vm().hyperv_eventfd({.conn_id = 1, .fd = -1}); },
     .expect = fails(EBADF),
     .needs = {.vm_cap = Cap::HypervEventfd},
     .status = Abi::observed},
};
KVM_ROWS("vm.hyperv_eventfd", "api.rst 4.113", kHyperv);

}  // namespace
}  // namespace conformance
