// /dev/kvm: KVM_GET_API_VERSION, KVM_CREATE_VM and what the host supports. api.rst 4.1-4.6, 4.46, 4.88, 4.104.
#pragma once

#include <memory>

#include "kvmapi/uapi/all.hpp"
#include "mock/vm/context.hpp"
#include "mock/vm/dispatch.hpp"

namespace mock::vm {

class System {
 public:
  explicit System(const Context& context);

  // As ioctl(2) on /dev/kvm: EINVAL for an unknown number.
  Result<int> ioctl(u32 request, u64 argument);

  // A VM without descriptor. `type`: machine type, only 0 on this hardware. EINVAL.
  Result<std::shared_ptr<Vm>> make_vm(u64 type);

  Result<int> get_api_version(u64 argument);
  Result<int> create_vm(u64 type);
  Result<int> check_extension(u64 number);
  Result<int> get_vcpu_mmap_size(u64 argument);
  Result<int> get_msr_index_list(UserPointer list);
  Result<int> get_msr_feature_index_list(UserPointer list);
  Result<int> get_msrs(UserPointer list);
  Result<int> get_supported_cpuid(UserPointer list);
  Result<int> get_emulated_cpuid(UserPointer list);
  Result<u64> x86_get_mce_cap_supported();
  Result<int> has_device_attr(const kvm_device_attr& attribute);
  Result<int> get_device_attr(const kvm_device_attr& attribute);

  static std::span<const Row<System>> rows();

 private:
  Result<int> get_cpuid(UserPointer list, const std::vector<kvm_cpuid_entry2>& entries, bool check_padding);

  Context context_;
};

// KVM_CHECK_EXTENSION for one VM: differs from the system's answer where the VM's configuration matters.
int check_extension(const Context& context, u64 number);

// Machine check banks and their capabilities (KVM_X86_GET_MCE_CAP_SUPPORTED on AMD: MCG_CTL_P | MCG_SER_P).
inline constexpr u64 kMceCapabilities = (u64{1} << 8) | (u64{1} << 24);
inline constexpr u32 kMaxMceBanks = 32;
inline constexpr u32 kMaxCpuidEntries = 256;
inline constexpr u32 kMaxMsrEntries = 256;  // per KVM_GET_MSRS / KVM_SET_MSRS; that many is E2BIG already

}  // namespace mock::vm
