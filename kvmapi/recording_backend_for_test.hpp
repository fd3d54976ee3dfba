// A backend for the tests of this folder: it does nothing and remembers what it was asked.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "kvmapi/backend.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/uapi/all.hpp"

namespace kvmapi {

// Answers 0, or a new descriptor where one is due, and remembers who was asked what.
class RecordingBackend final : public Backend {
 public:
  Result<int> open(const char*, int) override { return new_fd(FdKind::System); }
  Result<int> ioctl(int fd, u32 request, u64 arg) override {
    calls.insert({kinds.at(fd), request});
    last_arg = arg;
    if (fails_with != 0) return err(fails_with);
    switch (static_cast<Ioctl>(request)) {
      case Ioctl::CreateVm:
        return new_fd(FdKind::Vm);
      case Ioctl::CreateVcpu:
        return new_fd(FdKind::Vcpu);
      case Ioctl::GetStatsFd:
        return new_fd(FdKind::Stats);
      case Ioctl::CreateGuestMemfd:
        return new_fd(FdKind::GuestMemfd);
      case Ioctl::GetVcpuMmapSize:
        return 3 * 4096;
      case Ioctl::GetMsrs:
      case Ioctl::SetMsrs:
        return msrs_done;
      case Ioctl::CreateDevice: {
        auto* device = reinterpret_cast<kvm_create_device*>(arg);
        if ((device->flags & kCreateDeviceTest) == 0) device->fd = static_cast<u32>(new_fd(FdKind::Device));
        return 0;
      }
      default:
        return 0;
    }
  }
  Result<void*> mmap(void* address, std::size_t bytes, int prot, int flags, int, off_t) override {
    if (mmap_fails_with != 0) return err(mmap_fails_with);
    void* mapping = ::mmap(address, bytes, prot, flags | MAP_ANONYMOUS, -1, 0);
    mapped.insert(mapping);
    return mapping;
  }
  Result<void> munmap(void* address, std::size_t bytes) override {
    EXPECT_EQ(mapped.erase(address), 1u);
    ::munmap(address, bytes);
    return {};
  }
  Result<void> close(int fd) override {
    EXPECT_EQ(kinds.erase(fd), 1u) << "closed twice: " << fd;
    return {};
  }
  std::string name() const override { return "recording"; }

  int new_fd(FdKind kind) {
    kinds[next_fd] = kind;
    return next_fd++;
  }

  std::map<int, FdKind> kinds;  // open descriptors
  std::set<std::pair<FdKind, u32>> calls;
  std::set<void*> mapped;
  u64 last_arg = 0;
  int next_fd = 100, fails_with = 0, mmap_fails_with = 0, msrs_done = 1;
};

}  // namespace kvmapi
