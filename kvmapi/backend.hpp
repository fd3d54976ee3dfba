// The seam: what a KVM implementation offers to a process. kvmapi::KernelBackend makes system calls, mock::Mock answers
// in this process. Everything else in kvmapi is built on these five calls.
#pragma once

#include <sys/types.h>

#include <string>

#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"

namespace kvmapi {

class Backend {
 public:
  virtual ~Backend() = default;

  // As open(2). The implementation decides which paths it serves; others are ENOENT.
  virtual Result<int> open(const char* path, int flags) = 0;

  // As ioctl(2). `request` is the full 32-bit number; `arg` is a pointer or an immediate value, as the request defines.
  virtual Result<int> ioctl(int fd, u32 request, u64 arg) = 0;

  // As mmap(2) on a descriptor of this backend.
  virtual Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd,
                             off_t offset_bytes) = 0;
  virtual Result<void> munmap(void* address, std::size_t length_bytes) = 0;
  virtual Result<void> close(int fd) = 0;

  // For messages and reports: "/dev/kvm", "mock (6.12)".
  virtual std::string name() const = 0;
};

}  // namespace kvmapi
