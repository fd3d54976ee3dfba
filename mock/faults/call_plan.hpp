// Counts ioctls and lets planned ones fail, in front of any backend: fault injection for callers that have no
// GoogleMock.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "kvmapi/backend.hpp"

namespace mock {

class PlannedBackend final : public kvmapi::Backend {
 public:
  explicit PlannedBackend(std::unique_ptr<kvmapi::Backend> inner) : inner_(std::move(inner)) {}

  // The first `skip` calls of `request` from now on pass, the next `count` fail with `error` and without effect.
  void fail(kvmapi::u32 request, kvmapi::u64 skip, kvmapi::u64 count, kvmapi::Errno error);
  void fail_nothing();
  // Calls made of `request`, failed ones too.
  kvmapi::u64 calls(kvmapi::u32 request) const;
  kvmapi::u64 calls() const;

  kvmapi::Result<int> open(const char* path, int flags) override { return inner_->open(path, flags); }
  kvmapi::Result<int> ioctl(int fd, kvmapi::u32 request, kvmapi::u64 argument) override;
  kvmapi::Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd,
                             off_t offset_bytes) override {
    return inner_->mmap(address, length_bytes, prot, flags, fd, offset_bytes);
  }
  kvmapi::Result<void> munmap(void* address, std::size_t length_bytes) override {
    return inner_->munmap(address, length_bytes);
  }
  kvmapi::Result<void> close(int fd) override { return inner_->close(fd); }
  std::string name() const override { return inner_->name(); }

 private:
  struct Plan {
    kvmapi::u64 calls = 0;
    kvmapi::u64 skip = 0, count = 0;
    kvmapi::Errno error;
  };
  // Counts the call; the errno it must fail with, or none.
  kvmapi::Errno note(kvmapi::u32 request);

  std::unique_ptr<kvmapi::Backend> inner_;
  mutable std::mutex mutex_;
  std::map<kvmapi::u32, Plan> plans_;
};

}  // namespace mock
