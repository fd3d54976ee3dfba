// System: an open /dev/kvm. One method per ioctl of that descriptor on x86, named as the ioctl.
#pragma once

#include "kvmapi/vm.hpp"

namespace kvmapi {

class System : public Fd {
 public:
  using Fd::Fd;
  static Result<System> open(Backend& backend, const char* path = "/dev/kvm");

  Result<int> get_api_version() const { return raw(Ioctl::GetApiVersion); }
  Result<Vm> create_vm(u64 type = 0) const;
  // 0 for a capability that is not there.
  Result<int> check_extension(Cap cap) const { return raw(Ioctl::CheckExtension, u64{static_cast<u32>(cap)}); }
  Result<int> get_vcpu_mmap_size() const { return raw(Ioctl::GetVcpuMmapSize); }

  // E2BIG: the count says what is needed.
  Result<int> get_msr_index_list(MsrIndexList& list) const { return inout(Ioctl::GetMsrIndexList, list.header()); }
  Result<int> get_msr_feature_index_list(MsrIndexList& list) const {
    return inout(Ioctl::GetMsrFeatureIndexList, list.header());
  }
  // The whole list, however long.
  Result<MsrIndexList> get_msr_index_list() const { return whole_list(Ioctl::GetMsrIndexList); }
  Result<MsrIndexList> get_msr_feature_index_list() const { return whole_list(Ioctl::GetMsrFeatureIndexList); }
  // Values of feature MSRs: number of entries done.
  Result<int> get_msrs(Msrs& msrs) const { return inout(Ioctl::GetMsrs, msrs.header()); }

  // E2BIG: too few entries; the count stays as it was.
  Result<int> get_supported_cpuid(Cpuid& cpuid) const { return inout(Ioctl::GetSupportedCpuid, cpuid.header()); }
  Result<int> get_emulated_cpuid(Cpuid& cpuid) const { return inout(Ioctl::GetEmulatedCpuid, cpuid.header()); }
  Result<int> get_supported_hv_cpuid(Cpuid& cpuid) const { return inout(Ioctl::GetSupportedHvCpuid, cpuid.header()); }
  // Everything: no kernel has more than 256 entries.
  Result<Cpuid> get_supported_cpuid() const;

  Result<int> get_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::GetDeviceAttr, attr); }
  Result<int> has_device_attr(const kvm_device_attr& attr) const { return in(Ioctl::HasDeviceAttr, attr); }
  Result<u64> x86_get_mce_cap_supported() const { return out<u64>(Ioctl::X86GetMceCapSupported); }

 private:
  Result<MsrIndexList> whole_list(Ioctl request) const;
};

}  // namespace kvmapi
