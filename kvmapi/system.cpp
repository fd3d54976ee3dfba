#include "kvmapi/system.hpp"

#include <fcntl.h>

#include <cerrno>
#include <utility>

namespace kvmapi {

Result<System> System::open(Backend& backend, const char* path) {
  const Result<int> fd = backend.open(path, O_RDWR | O_CLOEXEC);
  if (!fd.ok()) return err(fd.error());
  return System(backend, *fd);
}

Result<Vm> System::create_vm(u64 type) const {
  Result<Fd> fd = make<Fd>(Ioctl::CreateVm, type);
  if (!fd.ok()) return err(fd.error());
  const Result<int> mapping_bytes = get_vcpu_mmap_size();
  if (!mapping_bytes.ok()) return err(mapping_bytes.error());
  return Vm(std::move(*fd), static_cast<std::size_t>(*mapping_bytes));
}

Result<MsrIndexList> System::whole_list(Ioctl request) const {
  MsrIndexList list;
  const Result<int> asked = inout(request, list.header());
  if (asked.ok()) return list;
  if (asked.error() != Errno{E2BIG}) return err(asked.error());
  list.resize(list.count());
  const Result<int> filled = inout(request, list.header());
  if (!filled.ok()) return err(filled.error());
  return list;
}

Result<Cpuid> System::get_supported_cpuid() const {
  Cpuid cpuid(256);
  const Result<int> result = get_supported_cpuid(cpuid);
  if (!result.ok()) return err(result.error());
  return cpuid;
}

}  // namespace kvmapi
