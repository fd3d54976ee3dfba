// KVM_CREATE_DEVICE: which types there are. The descriptors: conformance/device.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_create_device;

constexpr Probe kVfio{"the VFIO device type",
                      [](Ctx& t) { return t.vm().create_device_test(kvmapi::kDevTypeVfio).ok(); }};

constexpr IoctlCase kDevice[] = {
    {.name = "unknown_type_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device(999); },
     .expect = fails(ENODEV)},
    {.name = "type_0_is_enodev", .call = [](Ctx& t) { return t.vm().create_device(0); }, .expect = fails(ENODEV)},
    {.name = "type_of_another_architecture_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device(kvmapi::kDevTypeArmVgicV3); },
     .expect = fails(ENODEV)},
    {.name = "test_of_an_unknown_type_is_enodev",
     .call = [](Ctx& t) { return t.vm().create_device_test(999); },
     .expect = fails(ENODEV)},
    {.name = "test_creates_nothing",
     .call =
         [](Ctx& t) {
           kvm_create_device request{.type = kvmapi::kDevTypeVfio, .fd = 0x77, .flags = kvmapi::kCreateDeviceTest};
           const auto answer = t.vm().raw(Ioctl::CreateDevice, &request);
           EXPECT_EQ(request.fd, 0x77u);
           return answer;
         },
     .expect = succeeds(0),
     .needs = {.probe = kVfio}},
    {.name = "vfio_is_created",
     .call = [](Ctx& t) { return t.vm().create_device(kvmapi::kDevTypeVfio); },
     .expect = succeeds(),
     .needs = {.probe = kVfio}},
    {.name = "second_vfio_is_ebusy",
     .call =
         [](Ctx& t) {
           const auto first = t.must(t.vm().create_device(kvmapi::kDevTypeVfio));
           return t.vm().create_device(kvmapi::kDevTypeVfio);
         },
     .expect = fails(EBUSY),
     .needs = {.probe = kVfio},
     .status = Abi::observed},
    {.name = "unknown_flag_is_ignored",
     .call =
         [](Ctx& t) {
           kvm_create_device request{.type = 999, .flags = 0x100};
           return t.vm().raw(Ioctl::CreateDevice, &request);
         },
     .expect = fails(ENODEV),
     .status = Abi::observed},
};
KVM_ROWS("vm.create_device", "api.rst 4.79", kDevice);

}  // namespace
}  // namespace conformance
