// Device: a descriptor from KVM_CREATE_DEVICE (on x86 the VFIO device only).
#pragma once

#include "kvmapi/fd.hpp"
#include "kvmapi/uapi/misc.hpp"

namespace kvmapi {

class Device : public Fd {
 public:
  using Fd::Fd;

  // api.rst 4.80, 4.81. ENXIO: no such group or attribute; EPERM: the device has no getter or setter.
  Result<int> set_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::SetDeviceAttr, attr); }
  Result<int> get_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::GetDeviceAttr, attr); }
  Result<int> has_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::HasDeviceAttr, attr); }
};

}  // namespace kvmapi
