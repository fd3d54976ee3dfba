// KVM_GET_DEVICE_ATTR and KVM_HAS_DEVICE_ATTR on /dev/kvm: the extended-state features that a guest may get.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_device_attr;

constexpr IoctlCase kGet[] = {
    {.name = "xcomp_guest_supp_is_readable",
     .call =
         [](Ctx& t) {
           u64 features = ~u64{0};
           const auto answer = t.system().get_device_attr(
               {.attr = kvmapi::kX86XcompGuestSupp, .addr = reinterpret_cast<u64>(&features)});
           EXPECT_EQ(features & 3, 3u) << fmt::format("x87 and SSE are in every CPU: {:#x}", features);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "unknown_attribute_is_enxio",
     .call =
         [](Ctx& t) {
           u64 value = 0;
           return t.system().get_device_attr({.attr = 0x1234, .addr = reinterpret_cast<u64>(&value)});
         },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "unknown_group_is_enxio",
     .call =
         [](Ctx& t) {
           u64 value = 0;
           return t.system().get_device_attr({.group = 0x77, .addr = reinterpret_cast<u64>(&value)});
         },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "flags_are_ignored",
     .call =
         [](Ctx& t) {
           u64 value = 0;
           return t.system().get_device_attr({.flags = 0xff, .addr = reinterpret_cast<u64>(&value)});
         },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysAttributes},
     .status = Abi::observed},
    {.name = "target_in_unmapped_memory_is_efault",
     .call = [](Ctx& t) { return t.system().get_device_attr({.addr = 8}); },
     .expect = fails(EFAULT),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "unknown_attribute_wins_over_unmapped_target",
     .call = [](Ctx& t) { return t.system().get_device_attr({.attr = 0x1234, .addr = 8}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::SysAttributes},
     .status = Abi::observed},
};

constexpr IoctlCase kHas[] = {
    {.name = "xcomp_guest_supp_is_there",
     .call = [](Ctx& t) { return t.system().has_device_attr({.attr = kvmapi::kX86XcompGuestSupp}); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "unknown_attribute_is_enxio",
     .call = [](Ctx& t) { return t.system().has_device_attr({.attr = 0x1234}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "unknown_group_is_enxio",
     .call = [](Ctx& t) { return t.system().has_device_attr({.group = 0x77}); },
     .expect = fails(ENXIO),
     .needs = {.cap = Cap::SysAttributes}},
    {.name = "address_is_not_looked_at",
     .call = [](Ctx& t) { return t.system().has_device_attr({.addr = 8}); },
     .expect = succeeds(0),
     .needs = {.cap = Cap::SysAttributes}},
};

constexpr IoctlCase kSet[] = {
    {.name = "is_not_known_on_the_system_descriptor",
     .call =
         [](Ctx& t) {
           const kvm_device_attr attr{};
           return t.system().raw(Ioctl::SetDeviceAttr, &attr);
         },
     .expect = fails(EINVAL),
     .status = Abi::observed,
     .source = "kvm_arch_dev_ioctl"},
};

KVM_ROWS("system.get_device_attr", "api.rst 4.80", kGet);
KVM_ROWS("system.has_device_attr", "api.rst 4.81", kHas);
KVM_ROWS("system.set_device_attr", "api.rst 4.80", kSet);

}  // namespace
}  // namespace conformance
