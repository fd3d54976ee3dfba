// Device descriptors (KVM_CREATE_DEVICE), by the only type that x86 has: the VFIO pseudo device. Creating it:
// conformance/vm/create_device_test.cpp.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"

namespace conformance {
namespace {

constexpr Probe kVfio{"the VFIO device type",
                      [](Ctx& t) { return t.vm().create_device_test(kvmapi::kDevTypeVfio).ok(); }};

kvmapi::Device vfio(Ctx& t) { return t.must(t.vm().create_device(kvmapi::kDevTypeVfio)); }

constexpr IoctlCase kRows[] = {
    {.name = "group_attribute_is_there",
     .call =
         [](Ctx& t) {
           return vfio(t).has_device_attr({.group = kvmapi::kDevVfioFile, .attr = kvmapi::kDevVfioFileAdd});
         },
     .expect = succeeds(0),
     .needs = {.probe = kVfio}},
    {.name = "unknown_group_is_enxio",
     .call = [](Ctx& t) { return vfio(t).has_device_attr({.group = 99}); },
     .expect = fails(ENXIO),
     .needs = {.probe = kVfio}},
    {.name = "unknown_attribute_is_enxio",
     .call = [](Ctx& t) { return vfio(t).has_device_attr({.group = kvmapi::kDevVfioFile, .attr = 99}); },
     .expect = fails(ENXIO),
     .needs = {.probe = kVfio}},
};
KVM_ROWS("device.has_device_attr", "api.rst 4.81; devices/vfio.rst", kRows);

constexpr IoctlCase kGet[] = {
    {.name = "vfio_has_no_getter_so_eperm",
     .call = [](Ctx& t) { return vfio(t).get_device_attr({}); },
     .expect = fails(EPERM),
     .needs = {.probe = kVfio}},
    {.name = "missing_getter_wins_over_bad_pointer",
     .call = [](Ctx& t) { return vfio(t).raw(Ioctl::GetDeviceAttr, 8); },
     .expect = fails(EPERM),
     .needs = {.probe = kVfio},
     .status = Abi::observed},
};
KVM_ROWS("device.get_device_attr", "api.rst 4.80", kGet);

constexpr IoctlCase kSet[] = {
    {.name = "unknown_group_is_enxio",
     .call = [](Ctx& t) { return vfio(t).set_device_attr({.group = 99}); },
     .expect = fails(ENXIO),
     .needs = {.probe = kVfio}},
    {.name = "bad_pointer_is_efault",
     .call = [](Ctx& t) { return vfio(t).raw(Ioctl::SetDeviceAttr, 8); },
     .expect = fails(EFAULT),
     .needs = {.probe = kVfio}},
};
KVM_ROWS("device.set_device_attr", "api.rst 4.80", kSet);

constexpr IoctlCase kUnknown[] = {
    {.name = "number_of_a_vm_is_enotty",
     .call = [](Ctx& t) { return vfio(t).raw(Ioctl::CheckExtension, 3); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kVfio}},
    {.name = "free_number_is_enotty",
     .call = [](Ctx& t) { return vfio(t).raw(0xae7f, u64{0}); },
     .expect = fails(ENOTTY),
     .needs = {.probe = kVfio}},
};
KVM_ROWS("device.unknown_ioctl", "kvm_device_ioctl", kUnknown);

KVM_TEST("device.fd", "is_close_on_exec", "kvm_ioctl_create_device",
         {.needs = {.probe = kVfio}, .status = Abi::observed})
(Ctx& t) { EXPECT_NE(::fcntl(vfio(t).fd(), F_GETFD) & FD_CLOEXEC, 0); }

KVM_TEST("device.fd", "answers_eio_in_a_forked_child", "kvm_device_ioctl", {.needs = {.probe = kVfio}})(Ctx& t) {
  const auto device = vfio(t);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(device.has_device_attr({.group = 1}).error().value());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), EIO);
}

KVM_TEST("device.fd", "outlives_the_descriptor_of_the_vm", "kvm_ioctl_create_device", {.needs = {.probe = kVfio}})
(Ctx& t) {
  const auto device = vfio(t);
  t.vm().close();
  EXPECT_THAT(device.has_device_attr({.group = 99}), FailsWith(ENXIO));
}

}  // namespace
}  // namespace conformance
