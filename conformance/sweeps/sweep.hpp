// What the sweeps share: names of ioctls as parts of ids, descriptors by kind on a VM that has everything, and how each
// kind of descriptor answers a number that it does not know.
#pragma once

#include <string>
#include <string_view>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "kvmapi/ioctl.hpp"

namespace conformance {

using kvmapi::FdKind;
using kvmapi::IoctlInfo;

// The kinds that every test can have. Devices need a device type, which x86 kernels may lack: conformance/device.
inline constexpr FdKind kKinds[] = {FdKind::System, FdKind::Vm, FdKind::Vcpu};

// "KVM_SET_USER_MEMORY_REGION" -> "set_user_memory_region".
inline std::string id_part(const IoctlInfo& ioctl) {
  std::string text(ioctl.c_name.substr(4));
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// "vm.set_user_memory_region"; for an ioctl of several kinds that of `kind`.
inline std::string suite_of(const IoctlInfo& ioctl, FdKind kind) {
  return fmt::format("{}.{}", kvmapi::name(kind), id_part(ioctl));
}

// The first kind that takes it.
inline FdKind home(const IoctlInfo& ioctl) {
  for (FdKind kind : {FdKind::System, FdKind::Vm, FdKind::Vcpu, FdKind::Device}) {
    if (ioctl.fds.has(kind)) return kind;
  }
  return FdKind::System;
}

// The answer to a number that a descriptor of this kind does not know: kvm_arch_dev_ioctl and kvm_arch_vcpu_ioctl say
// EINVAL, kvm_arch_vm_ioctl and kvm_device_ioctl say ENOTTY.
inline int unknown_errno(FdKind kind) { return kind == FdKind::Vm || kind == FdKind::Device ? ENOTTY : EINVAL; }

// A descriptor of this kind. A vcpu comes with an in-kernel irqchip, a VM with irqchip and timer but without vcpus, so
// that hardly any state check stands before the argument is looked at.
inline const kvmapi::Fd& prepared(Ctx& t, FdKind kind) {
  if (kind == FdKind::System) return t.system();
  t.must(t.vm().create_irqchip());
  if (kind == FdKind::Vcpu) return t.vcpu();
  if (t.must(t.vm().check_extension(Cap::Pit2)) != 0) t.must(t.vm().create_pit2());
  return t.vm();
}

// The capability that announces the ioctl on descriptors of this kind; Cap::None if it is always there.
inline Cap announcing(const IoctlInfo& ioctl, FdKind kind) {
  switch (ioctl.id) {
    case Ioctl::GetDeviceAttr:
    case Ioctl::HasDeviceAttr:
    case Ioctl::SetDeviceAttr:
      return kind == FdKind::System ? Cap::SysAttributes : Cap::VcpuAttributes;
    case Ioctl::GetSupportedHvCpuid:
      return kind == FdKind::System ? Cap::SysHypervCpuid : Cap::HypervCpuid;
    case Ioctl::GetRegList:
      return Cap::OneReg;
    case Ioctl::CreateDevice:
    case Ioctl::EnableCap:
      return Cap::None;  // there long before their capabilities
    default:
      return ioctl.caps[0];
  }
}

inline Needs needs_of(const IoctlInfo& ioctl, FdKind kind) {
  Needs needs;
  const Cap cap = announcing(ioctl, kind);
  if (cap != Cap::None) needs.vm_cap = cap;
  switch (ioctl.id) {
    case Ioctl::XenHvmGetAttr:
    case Ioctl::XenHvmSetAttr:
    case Ioctl::XenVcpuGetAttr:
    case Ioctl::XenVcpuSetAttr:
      needs.kernel = {5, 12};
      break;
    case Ioctl::XenHvmEvtchnSend:
      needs.kernel = {5, 18};
      break;
    case Ioctl::GetNestedState:
    case Ioctl::SetNestedState:
      needs.vm_cap = Cap::NestedState;
      break;
    default:
      break;
  }
  return needs;
}

inline void add_sweep(std::string id, const char* source, Needs needs, const char* file, int line,
                      std::function<void(Ctx&)> body, std::string description) {
  Registry::global().add(Test{.id = std::move(id),
                              .source = source,
                              .status = Abi::observed,
                              .needs = needs,
                              .file = file,
                              .line = line,
                              .body = std::move(body),
                              .describe = [description = std::move(description)] { return description; }});
}

}  // namespace conformance
