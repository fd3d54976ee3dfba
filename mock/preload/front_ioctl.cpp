// ioctl, mmap and munmap on descriptors of the session.
#include <sys/types.h>

#include <cerrno>
#include <cstdarg>
#include <cstddef>

#include "mock/preload/export.hpp"
#include "mock/preload/real.hpp"
#include "mock/preload/session.hpp"

namespace mock::preload {
namespace {

using Ioctl = int(int, unsigned long, ...);
using Mmap = void*(void*, std::size_t, int, int, int, off_t);

constinit Real<Ioctl> real_ioctl{"ioctl"};
constinit Real<Mmap> real_mmap{"mmap"}, real_mmap64{"mmap64"};

void* const kMapFailed = reinterpret_cast<void*>(-1);

// Requests whose positive result is a new descriptor: KVM_CREATE_VM, KVM_CREATE_VCPU, KVM_GET_STATS_FD,
// KVM_CREATE_GUEST_MEMFD.
bool makes_descriptor(u32 request) {
  return request == 0xae01 || request == 0xae41 || request == 0xaece || request == 0xc040aed4;
}

// KVM_CREATE_DEVICE gives the descriptor in its argument, unless it is asked to test only.
constexpr u32 kCreateDevice = 0xc00caee0;
struct CreateDevice {
  u32 type, fd, flags;
};

// KVMIO: every request of KVM has this type byte.
bool is_kvm_request(unsigned long request) { return ((request >> 8) & 0xff) == 0xae; }

int owned_ioctl(int fd, u32 request, u64 argument) {
  const Result<int> result = [=] {
    const Inside inside;
    return session()->ioctl(fd, request, argument);
  }();
  if (!result) [[unlikely]] {
    errno = result.error().value();
    return -1;
  }
  if (makes_descriptor(request)) {
    add_owned(*result);
  } else if (request == kCreateDevice) {
    const auto* device = reinterpret_cast<const CreateDevice*>(argument);
    if (!(device->flags & 1)) add_owned(static_cast<int>(device->fd));
  }
  return *result;
}

void* map(Real<Mmap>& real, void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  if (!owns(fd) || Inside::is_active()) return real(address, length, protection, flags, fd, offset);
  const Result<void*> mapping = [=] {
    const Inside inside;
    return session()->mmap(address, length, protection, flags, fd, offset);
  }();
  if (!mapping) {
    errno = mapping.error().value();
    return kMapFailed;
  }
  return *mapping;
}

}  // namespace
}  // namespace mock::preload

using namespace mock::preload;

KVMMOCK_EXPORT int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  const u64 argument = va_arg(arguments, u64);
  va_end(arguments);
  if (!Inside::is_active() && (owns(fd) || (is_kvm_request(request) && adopt(fd)))) [[likely]] {
    return owned_ioctl(fd, static_cast<u32>(request), argument);
  }
  return real_ioctl(fd, request, argument);
}

KVMMOCK_EXPORT void* mmap(void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  return map(real_mmap, address, length, protection, flags, fd, offset);
}

KVMMOCK_EXPORT void* mmap64(void* address, std::size_t length, int protection, int flags, int fd, off_t offset) {
  return map(real_mmap64, address, length, protection, flags, fd, offset);
}
