#include "kvmapi/kernel_backend.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace kvmapi {

Result<int> KernelBackend::open(const char* path, int flags) {
  const int fd = ::open(path, flags);
  if (fd < 0) return err(errno);
  return fd;
}

Result<int> KernelBackend::ioctl(int fd, u32 request, u64 arg) {
  // syscall(2): the C library's ioctl() takes the argument as a pointer and sanitizers look into some of them.
  const long result = ::syscall(SYS_ioctl, fd, request, arg);
  if (result < 0) return err(errno);
  return static_cast<int>(result);
}

Result<void*> KernelBackend::mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd,
                                  off_t offset_bytes) {
  void* mapping = ::mmap(address, length_bytes, prot, flags, fd, offset_bytes);
  if (mapping == MAP_FAILED) return err(errno);
  return mapping;
}

Result<void> KernelBackend::munmap(void* address, std::size_t length_bytes) {
  if (::munmap(address, length_bytes) != 0) return err(errno);
  return {};
}

Result<void> KernelBackend::close(int fd) {
  if (::close(fd) != 0) return err(errno);
  return {};
}

}  // namespace kvmapi
