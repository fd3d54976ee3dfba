// KVM_SET_SIGNAL_MASK: rules of its argument. What it does while a guest runs: conformance/run/signal_test.cpp.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr IoctlCase kSignalMask[] = {
    {.name = "eight_bytes_are_accepted",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(8);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = succeeds(0)},
    {.name = "null_pointer_takes_the_mask_away",
     .call = [](Ctx& t) { return t.vcpu().set_signal_mask(nullptr); },
     .expect = succeeds(0),
     .status = Abi::observed},
    {.name = "sixteen_bytes_are_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(16);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "length_of_the_c_library_set_is_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(128);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "length_0_is_einval",
     .call =
         [](Ctx& t) {
           const kvmapi::SignalMask mask(0);
           return t.vcpu().set_signal_mask(&mask);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed},
    {.name = "set_in_unmapped_memory_is_efault",
     .call =
         [](Ctx& t) {
           const LastBytes end(sizeof(kvmapi::kvm_signal_mask));
           end.as<kvmapi::kvm_signal_mask>().len = 8;
           return t.vcpu().raw(Ioctl::SetSignalMask, end.address());
         },
     .expect = fails(EFAULT)},
};
KVM_ROWS("vcpu.set_signal_mask", "api.rst 4.21", kSignalMask);

}  // namespace
}  // namespace conformance
