// KernelBackend makes the system calls as they are: tried on descriptors that every Linux has.
#include "kvmapi/kernel_backend.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "kvmapi/ioctl.hpp"

namespace kvmapi {
namespace {

TEST(kernel_backend, opens_and_closes) {
  KernelBackend kernel;
  EXPECT_EQ(kernel.open("/no/such/device", O_RDWR).error(), Errno{ENOENT});
  const Result<int> fd = kernel.open("/dev/null", O_RDWR | O_CLOEXEC);
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(::fcntl(*fd, F_GETFD), FD_CLOEXEC);
  EXPECT_TRUE(kernel.close(*fd).ok());
  EXPECT_EQ(kernel.close(*fd).error(), Errno{EBADF});
}

TEST(kernel_backend, returns_what_ioctl_returns) {
  KernelBackend kernel;
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  ASSERT_EQ(::write(pipe_ends[1], "abc", 3), 3);
  int waiting = 0;
  constexpr u32 kFionread = 0x541b;
  EXPECT_TRUE(kernel.ioctl(pipe_ends[0], kFionread, reinterpret_cast<u64>(&waiting)).ok());
  EXPECT_EQ(waiting, 3);
  EXPECT_EQ(kernel.ioctl(pipe_ends[0], kFionread, 0).error(), Errno{EFAULT});
  EXPECT_EQ(kernel.ioctl(pipe_ends[0], number(Ioctl::GetApiVersion), 0).error(), Errno{ENOTTY});
  EXPECT_EQ(kernel.ioctl(-1, number(Ioctl::GetApiVersion), 0).error(), Errno{EBADF});
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST(kernel_backend, maps_and_unmaps) {
  KernelBackend kernel;
  const int fd = ::memfd_create("pages", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::ftruncate(fd, 4096), 0);
  const Result<void*> mapping = kernel.mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_TRUE(mapping.ok());
  *static_cast<u8*>(*mapping) = 7;
  u8 seen = 0;
  EXPECT_EQ(::pread(fd, &seen, 1, 0), 1);
  EXPECT_EQ(seen, 7);
  EXPECT_TRUE(kernel.munmap(*mapping, 4096).ok());
  EXPECT_EQ(kernel.munmap(reinterpret_cast<void*>(1), 4096).error(), Errno{EINVAL});
  EXPECT_EQ(kernel.mmap(nullptr, 4096, PROT_READ, MAP_SHARED, -1, 0).error(), Errno{EBADF});
  ::close(fd);
}

}  // namespace
}  // namespace kvmapi
