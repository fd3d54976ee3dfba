#include "mock/vm/device.hpp"

#include <fcntl.h>

#include <cerrno>

#include "kvmapi/uapi/constants.hpp"

namespace mock::vm {

Result<int> Device::ioctl(u32 request, u64 argument) {
  static const RowIndex<Device> index(rows());
  if (generation_ != g_process_generation.load()) return err(EIO);
  return dispatch(index, *this, context_, FdKind::Device, request, argument, ENOTTY);
}

Result<int> Device::has_device_attr(const kvm_device_attr& attribute) {
  const bool known =
      attribute.group == kDevVfioFile && (attribute.attr == kDevVfioFileAdd || attribute.attr == kDevVfioFileDel);
  return known ? Result<int>(0) : err(ENXIO);
}

// kvm_vfio_set_file().
Result<int> Device::set_device_attr(const kvm_device_attr& attribute) {
  if (Result<int> has = has_device_attr(attribute); !has) return has;
  s32 fd;
  if (!get_user(fd, attribute.addr)) return err(EFAULT);
  if (::fcntl(fd, F_GETFD) < 0) return err(EBADF);
  return err(attribute.attr == kDevVfioFileAdd ? EINVAL : ENOENT);
}

// The type has no attribute to read: that is said before the argument is looked at.
Result<int> Device::get_device_attr(UserPointer) { return err(EPERM); }

std::span<const Row<Device>> Device::rows() {
  static constexpr Row<Device> kRows[] = {
      ROW(SetDeviceAttr, &Device::set_device_attr, Support::partial, "no descriptor is a VFIO group"),
      ROW(GetDeviceAttr, &Device::get_device_attr, Support::full, ""),
      ROW(HasDeviceAttr, &Device::has_device_attr, Support::full, ""),
  };
  return kRows;
}

}  // namespace mock::vm
