// A device descriptor (KVM_CREATE_DEVICE, api.rst 4.79-4.81). x86 has one type, KVM_DEV_TYPE_VFIO, which takes
// descriptors of VFIO groups; there is no VFIO in this process, so every descriptor offered is refused as one that is
// no group.
#pragma once

#include "kvmapi/uapi/all.hpp"
#include "mock/vm/context.hpp"
#include "mock/vm/dispatch.hpp"

namespace mock::vm {

class Device {
 public:
  explicit Device(const Context& context) : context_(context), generation_(g_process_generation.load()) {}

  // As ioctl(2) on a device descriptor: ENOTTY for an unknown number, EIO from another process.
  Result<int> ioctl(u32 request, u64 argument);

  Result<int> set_device_attr(const kvm_device_attr& attribute);
  Result<int> get_device_attr(UserPointer attribute);
  Result<int> has_device_attr(const kvm_device_attr& attribute);

  static std::span<const Row<Device>> rows();

 private:
  Context context_;
  u32 generation_;
};

}  // namespace mock::vm
