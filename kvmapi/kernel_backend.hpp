// The kernel's KVM: every call is a system call, nothing else.
#pragma once

#include "kvmapi/backend.hpp"

namespace kvmapi {

class KernelBackend final : public Backend {
 public:
  // Any path: the kernel decides. O_CLOEXEC is not added.
  Result<int> open(const char* path, int flags) override;
  Result<int> ioctl(int fd, u32 request, u64 arg) override;
  Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd, off_t offset_bytes) override;
  Result<void> munmap(void* address, std::size_t length_bytes) override;
  Result<void> close(int fd) override;
  std::string name() const override { return "/dev/kvm"; }
};

}  // namespace kvmapi
