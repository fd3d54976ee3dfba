// FakeBackend: a few lines of KVM for the tests of this folder. Ioctls answer what `answers` says, or 0.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "kvmapi/backend.hpp"
#include "kvmapi/ioctl.hpp"

namespace conformance {

class FakeBackend : public kvmapi::Backend {
 public:
  using Handler = std::function<kvmapi::Result<int>(kvmapi::u64 arg)>;
  std::map<kvmapi::Ioctl, Handler> answers;
  bool has_device = true;

  FakeBackend() {
    answers[kvmapi::Ioctl::GetApiVersion] = [](kvmapi::u64) { return 12; };
    answers[kvmapi::Ioctl::GetVcpuMmapSize] = [](kvmapi::u64) { return 12288; };
    answers[kvmapi::Ioctl::CreateVm] = [this](kvmapi::u64) { return ++last_fd_; };
    answers[kvmapi::Ioctl::CreateVcpu] = [this](kvmapi::u64) { return ++last_fd_; };
  }

  kvmapi::Result<int> open(const char* path, int) override {
    if (!has_device || std::string_view(path) != "/dev/kvm") return kvmapi::err(ENOENT);
    return ++last_fd_;
  }
  kvmapi::Result<int> ioctl(int, kvmapi::u32 request, kvmapi::u64 arg) override {
    const auto found = answers.find(static_cast<kvmapi::Ioctl>(request));
    if (found == answers.end()) return 0;
    return found->second(arg);
  }
  kvmapi::Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int, int, off_t) override {
    return ::mmap(address, length_bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  kvmapi::Result<void> munmap(void* address, std::size_t length_bytes) override {
    ::munmap(address, length_bytes);
    return {};
  }
  kvmapi::Result<void> close(int) override { return {}; }
  std::string name() const override { return "fake"; }

 private:
  int last_fd_ = 1000;
};

}  // namespace conformance
