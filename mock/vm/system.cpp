#include "mock/vm/system.hpp"

#include <algorithm>
#include <cerrno>

#include "mock/vm/asymmetric_fence.hpp"
#include "mock/vm/run_pages.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {
namespace {

// Copies a list of MSR numbers behind struct kvm_msr_list. nmsrs is written back even when it was too small.
template <class Range, class Project>
Result<int> put_index_list(UserPointer list, const Range& range, Project index_of) {
  kvm_msr_list header;
  if (!get_user(header, list.address)) return err(EFAULT);
  const u32 room = header.nmsrs;
  header.nmsrs = static_cast<u32>(range.size());
  if (!put_user(list.address, header)) return err(EFAULT);
  if (room < header.nmsrs) return err(E2BIG);
  u64 to = list.address + sizeof header;
  for (const auto& entry : range) {
    const u32 index = index_of(entry);
    if (!put_user(to, index)) return err(EFAULT);
    to += sizeof index;
  }
  return 0;
}

}  // namespace

System::System(const Context& context) : context_(context) {
  install_fault_guard();
  prepare_asymmetric_fence();
}

Result<int> System::get_api_version(u64 argument) {
  if (argument) return err(EINVAL);
  return context_.has_defect(Defect::api_version_is_13) ? 13 : static_cast<int>(kApiVersion);
}

Result<std::shared_ptr<Vm>> System::make_vm(u64 type) {
  if (type != 0) return err(EINVAL);
  return std::make_shared<Vm>(context_);
}

Result<int> System::create_vm(u64 type) {
  Result<std::shared_ptr<Vm>> vm = make_vm(type);
  if (!vm) return err(vm.error());
  if (!context_.descriptors) return err(ENOSYS);
  return context_.descriptors->add(std::move(*vm));
}

Result<int> System::check_extension(u64 number) {
  if (context_.has_defect(Defect::unknown_extension_is_einval) && number > 100000) return err(EINVAL);
  return vm::check_extension(context_, number);
}

Result<int> System::get_vcpu_mmap_size(u64 argument) {
  if (argument) return err(EINVAL);
  return context_.has_defect(Defect::mmap_size_is_two_pages) ? 8192 : static_cast<int>(kRunBytes);
}

Result<int> System::get_msr_index_list(UserPointer list) {
  return put_index_list(list, context_.profile->msrs_to_save, [](u32 index) { return index; });
}

Result<int> System::get_msr_feature_index_list(UserPointer list) {
  return put_index_list(list, context_.profile->feature_msrs, [](const FeatureMsr& msr) { return msr.index; });
}

Result<int> System::get_msrs(UserPointer list) {
  kvm_msrs header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nmsrs >= kMaxMsrEntries) return err(E2BIG);
  std::array<kvm_msr_entry, kMaxMsrEntries> entries;
  const u64 bytes = header.nmsrs * sizeof(kvm_msr_entry);
  if (!copy_from_user(entries.data(), list.address + sizeof header, bytes)) return err(EFAULT);
  u32 done = 0;
  for (; done < header.nmsrs; ++done) {
    const FeatureMsr* found = nullptr;
    for (const FeatureMsr& msr : context_.profile->feature_msrs)
      if (msr.index == entries[done].index) found = &msr;
    if (!found) {
      // QUIRK(kvm, 6.12, kvm_get_feature_msr): an MSR that exists but is no feature reads as 0.
      const auto& listed = context_.profile->msrs_to_save;
      if (!context_.profile->since(6, 12) ||
          std::find(listed.begin(), listed.end(), entries[done].index) == listed.end())
        break;
    }
    entries[done].data = found ? found->value : 0;
  }
  if (!copy_to_user(list.address + sizeof header, entries.data(), bytes)) return err(EFAULT);
  return static_cast<int>(done);
}

Result<int> System::get_cpuid(UserPointer list, const std::vector<kvm_cpuid_entry2>& entries, bool check_padding) {
  kvm_cpuid2 header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nent < 1) return err(E2BIG);
  header.nent = std::min(header.nent, kMaxCpuidEntries);
  const u64 array = list.address + sizeof header;
  if (check_padding) {
    for (u32 i = 0; i < header.nent; ++i) {
      kvm_cpuid_entry2 entry;
      if (!get_user(entry.padding, array + i * sizeof entry + offsetof(kvm_cpuid_entry2, padding))) return err(EINVAL);
      if (entry.padding[0] || entry.padding[1] || entry.padding[2]) return err(EINVAL);
    }
  }
  // QUIRK(kvm, all, kvm_dev_ioctl_get_cpuid): the walk over leaves without emulated features wants room for one more.
  if (header.nent < entries.size() + (check_padding ? 1 : 0)) {
    if (context_.has_defect(Defect::cpuid_e2big_updates_nent)) {
      header.nent = static_cast<u32>(entries.size());
      if (!put_user(list.address, header)) return err(EFAULT);
    }
    return err(E2BIG);
  }
  header.nent = static_cast<u32>(entries.size());
  if (!copy_to_user(array, entries.data(), entries.size() * sizeof(kvm_cpuid_entry2))) return err(EFAULT);
  if (!put_user(list.address, header)) return err(EFAULT);
  return 0;
}

Result<int> System::get_supported_cpuid(UserPointer list) {
  return get_cpuid(list, context_.profile->supported_cpuid, false);
}

Result<int> System::get_emulated_cpuid(UserPointer list) {
  return get_cpuid(list, context_.profile->emulated_cpuid, true);
}

Result<u64> System::x86_get_mce_cap_supported() { return kMceCapabilities; }

// The only attribute: group 0 (KVM_X86_GRP_SYSTEM), attr 0 (KVM_X86_XCOMP_GUEST_SUPP), the XCR0 bits a guest may use.
Result<int> System::has_device_attr(const kvm_device_attr& attribute) {
  // QUIRK(kvm, all, kvm_x86_dev_get_attr): flags are not looked at.
  if (attribute.group) return err(ENXIO);
  return attribute.attr == 0 ? Result<int>(0) : err(ENXIO);
}

Result<int> System::get_device_attr(const kvm_device_attr& attribute) {
  if (Result<int> has = has_device_attr(attribute); !has) return has;
  u64 xcr0 = 0;
  for (const kvm_cpuid_entry2& entry : context_.profile->supported_cpuid)
    if (entry.function == 0xd && entry.index == 0) xcr0 = entry.eax | (u64{entry.edx} << 32);
  return put_user(attribute.addr, xcr0) ? Result<int>(0) : err(EFAULT);
}

int check_extension(const Context& context, u64 number) {
  return number > 0xffffffff ? 0 : context.profile->capability(static_cast<u32>(number));
}

std::span<const Row<System>> System::rows() {
  static constexpr Row<System> kRows[] = {
      ROW(GetApiVersion, &System::get_api_version, Support::full, ""),
      ROW(CreateVm, &System::create_vm, Support::full, ""),
      ROW(CheckExtension, &System::check_extension, Support::full, ""),
      ROW(GetVcpuMmapSize, &System::get_vcpu_mmap_size, Support::full, ""),
      ROW(GetMsrIndexList, &System::get_msr_index_list, Support::full, ""),
      ROW(GetMsrFeatureIndexList, &System::get_msr_feature_index_list, Support::full, ""),
      ROW(GetMsrs, &System::get_msrs, Support::full, ""),
      ROW(GetSupportedCpuid, &System::get_supported_cpuid, Support::full, ""),
      ROW(GetEmulatedCpuid, &System::get_emulated_cpuid, Support::full, ""),
      ROW(X86GetMceCapSupported, &System::x86_get_mce_cap_supported, Support::full, ""),
      ROW_SINCE(6, 1, HasDeviceAttr, &System::has_device_attr, Support::full, ""),
      ROW_SINCE(6, 1, GetDeviceAttr, &System::get_device_attr, Support::full, ""),
      MISSING(GetSupportedHvCpuid, EINVAL, "Hyper-V is not modelled"),
  };
  return kRows;
}

Result<int> System::ioctl(u32 request, u64 argument) {
  static const RowIndex<System> index(rows());
  // QUIRK(kvm, until 6.1, kvm_dev_ioctl): numbers of the tracing interface that was removed.
  constexpr u32 kTracePause = 0xae07, kTraceDisable = 0xae08;
  if ((request == kTracePause || request == kTraceDisable) && !context_.profile->since(6, 2)) return err(EOPNOTSUPP);
  return dispatch(index, *this, context_, FdKind::System, request, argument, EINVAL);
}

}  // namespace mock::vm
