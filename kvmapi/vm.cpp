#include "kvmapi/vm.hpp"

#include <utility>

namespace kvmapi {

Result<Vcpu> Vm::create_vcpu(u32 id) const {
  Result<Fd> fd = make<Fd>(Ioctl::CreateVcpu, id);
  if (!fd.ok()) return err(fd.error());
  return Vcpu::from_fd(std::move(*fd), vcpu_mapping_bytes_);
}

Result<int> Vm::enable_cap(Cap cap, u64 arg0, u64 arg1) const {
  return enable_cap(kvm_enable_cap{.cap = static_cast<u32>(cap), .args = {arg0, arg1}});
}

Result<kvm_irqchip> Vm::get_irqchip(u32 chip_id) const {
  kvm_irqchip chip{.chip_id = chip_id};
  const Result<int> result = inout(Ioctl::GetIrqchip, chip);
  if (!result.ok()) return err(result.error());
  return chip;
}

Result<Device> Vm::create_device(u32 type, u32 flags) const {
  kvm_create_device device{.type = type, .flags = flags};
  const Result<int> result = inout(Ioctl::CreateDevice, device);
  if (!result.ok()) return err(result.error());
  return Device(backend(), static_cast<int>(device.fd));
}

Result<int> Vm::create_device_test(u32 type) const {
  kvm_create_device device{.type = type, .flags = kCreateDeviceTest};
  return inout(Ioctl::CreateDevice, device);
}

}  // namespace kvmapi
