// The C functions over the C++ mock: argument checks, errno, nothing else. No exception leaves them.
#include "mock/c/kvmmock.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <string>

#include "kvmapi/ioctl.hpp"
#include "mock/faults/call_plan.hpp"
#include "mock/mock.hpp"

struct kvmmock {
  std::string profile;
  std::unique_ptr<mock::PlannedBackend> backend;
};

namespace {

using kvmapi::u32;
using kvmapi::u64;

int failed(int error) {
  errno = error;
  return -1;
}

// The caller's struct may be older and shorter than ours.
template <class T>
T option(const kvmmock_options* options, T kvmmock_options::*member, T otherwise) {
  if (options == nullptr) return otherwise;
  const auto* end = reinterpret_cast<const char*>(&(options->*member)) + sizeof(T);
  if (end > reinterpret_cast<const char*>(options) + options->size) return otherwise;
  return options->*member != T{} ? options->*member : otherwise;
}

kvmmock* refused(int error, const std::string& reason, char* message, size_t message_size) {
  if (message != nullptr && message_size > 0) std::snprintf(message, message_size, "%s", reason.c_str());
  errno = error;
  return nullptr;
}

kvmmock* create(const kvmmock_options* options, char* message, size_t message_size) {
  mock::MockOptions wanted;
  wanted.profile = option(options, &kvmmock_options::profile, wanted.profile.c_str());
  wanted.device = option(options, &kvmmock_options::device, wanted.device.c_str());
  wanted.log = option(options, &kvmmock_options::log, "");
  wanted.random = option(options, &kvmmock_options::random, "");
  mock::MockResult made = mock::make_mock(wanted);
  if (!made) return refused(EINVAL, made.error, message, message_size);
  auto handle = std::make_unique<kvmmock>();
  handle->profile = wanted.profile;
  handle->backend = std::make_unique<mock::PlannedBackend>(std::move(made.backend));
  return handle.release();
}

bool to_kind(char letter, kvmapi::FdKind& kind) {
  switch (letter) {
    case 's':
      kind = kvmapi::FdKind::System;
      return true;
    case 'v':
      kind = kvmapi::FdKind::Vm;
      return true;
    case 'c':
      kind = kvmapi::FdKind::Vcpu;
      return true;
    case 'd':
      kind = kvmapi::FdKind::Device;
      return true;
    default:
      return false;
  }
}

}  // namespace

extern "C" {

unsigned kvmmock_version(void) { return KVMMOCK_VERSION; }

kvmmock* kvmmock_create(const kvmmock_options* options, char* message, size_t message_size) {
  try {
    return create(options, message, message_size);
  } catch (const std::bad_alloc&) {
    return refused(ENOMEM, "out of memory", message, message_size);
  }
}

void kvmmock_destroy(kvmmock* mock) { delete mock; }

int kvmmock_open(kvmmock* mock, const char* path, int flags) {
  if (path == nullptr) return failed(EFAULT);
  const auto fd = mock->backend->open(path, flags);
  return fd ? *fd : failed(fd.error().value());
}

int kvmmock_ioctl(kvmmock* mock, int fd, unsigned long request, uintptr_t argument) {
  const auto result = mock->backend->ioctl(fd, static_cast<u32>(request), argument);
  return result ? *result : failed(result.error().value());
}

void* kvmmock_mmap(kvmmock* mock, void* address, size_t length, int prot, int flags, int fd, off_t offset) {
  const auto mapping = mock->backend->mmap(address, length, prot, flags, fd, offset);
  if (mapping) return *mapping;
  errno = mapping.error().value();
  return MAP_FAILED;
}

int kvmmock_munmap(kvmmock* mock, void* address, size_t length) {
  const auto result = mock->backend->munmap(address, length);
  return result ? 0 : failed(result.error().value());
}

int kvmmock_close(kvmmock* mock, int fd) {
  const auto result = mock->backend->close(fd);
  return result ? 0 : failed(result.error().value());
}

const char* kvmmock_profile_name(size_t index) {
  static const auto names = mock::profile_names();
  return index < names.size() ? names[index].c_str() : nullptr;
}

const char* kvmmock_profile(const kvmmock* mock) { return mock->profile.c_str(); }

int kvmmock_fail(kvmmock* mock, unsigned long request, uint64_t skip, uint64_t count, int error) {
  if (error <= 0) return failed(EINVAL);
  mock->backend->fail(static_cast<u32>(request), skip, count, kvmapi::Errno{error});
  return 0;
}

void kvmmock_fail_nothing(kvmmock* mock) { mock->backend->fail_nothing(); }

uint64_t kvmmock_calls(const kvmmock* mock, unsigned long request) {
  return request == 0 ? mock->backend->calls() : mock->backend->calls(static_cast<u32>(request));
}

const char* kvmmock_request_name(char fd_kind, unsigned long request) {
  kvmapi::FdKind kind{};
  if (!to_kind(fd_kind, kind)) return nullptr;
  const kvmapi::IoctlInfo* found = kvmapi::find_ioctl(kind, static_cast<u32>(request));
  return found != nullptr ? found->c_name.data() : nullptr;
}

}  // extern "C"
