// Copies and ends of descriptors: close, close_range, closefrom, dup, dup2, dup3, fcntl(F_DUPFD...). The C library does
// the work; the front only keeps count. A copy that it has not seen (a raw system call, SCM_RIGHTS) is recognised at
// its first ioctl.

#include <cerrno>
#include <cstdarg>

#include "mock/preload/export.hpp"
#include "mock/preload/real.hpp"
#include "mock/preload/session.hpp"

namespace mock::preload {
namespace {

using Close = int(int);
using CloseRange = int(unsigned, unsigned, int);
using CloseFrom = void(int);
using Dup = int(int);
using Dup2 = int(int, int);
using Dup3 = int(int, int, int);
using Fcntl = int(int, int, ...);

constinit Real<Close> real_close{"close"};
constinit Real<CloseRange> real_close_range{"close_range"};
constinit Real<CloseFrom> real_closefrom{"closefrom"};
constinit Real<Dup> real_dup{"dup"};
constinit Real<Dup2> real_dup2{"dup2"};
constinit Real<Dup3> real_dup3{"dup3"};
constinit Real<Fcntl> real_fcntl{"fcntl"}, real_fcntl64{"fcntl64"};

constexpr int kDupFd = 0, kDupFdCloexec = 1030;
constexpr unsigned kCloseRangeCloexec = 4;

int copied(int original, int copy) {
  if (copy >= 0 && !Inside::is_active() && owns(original)) add_owned(copy);
  return copy;
}

// A descriptor that dup2 replaces is closed without close(2).
void forget_replaced(int original, int target) {
  if (original != target && owns(target) && !Inside::is_active()) {
    const int before = errno;
    close_owned(target);
    errno = before;
  }
}

int fcntl_with(Real<Fcntl>& real, int fd, int command, u64 argument) {
  const int result = real(fd, command, argument);
  if (command == kDupFd || command == kDupFdCloexec) return copied(fd, result);
  return result;
}

}  // namespace
}  // namespace mock::preload

using namespace mock::preload;

KVMMOCK_EXPORT int close(int fd) {
  if (owns(fd) && !Inside::is_active()) return close_owned(fd);
  return real_close(fd);
}

KVMMOCK_EXPORT int close_range(unsigned first, unsigned last, int flags) {
  if (!Inside::is_active() && !(static_cast<unsigned>(flags) & kCloseRangeCloexec)) {
    for_each_owned(first, last, [](int fd) { close_owned(fd); });
  }
  return real_close_range(first, last, flags);
}

KVMMOCK_EXPORT void closefrom(int first) {
  if (!Inside::is_active())
    for_each_owned(first < 0 ? 0 : static_cast<unsigned>(first), ~0u, [](int fd) { close_owned(fd); });
  real_closefrom(first);
}

KVMMOCK_EXPORT int dup(int fd) { return copied(fd, real_dup(fd)); }

KVMMOCK_EXPORT int dup2(int fd, int target) {
  forget_replaced(fd, target);
  return copied(fd, real_dup2(fd, target));
}

KVMMOCK_EXPORT int dup3(int fd, int target, int flags) {
  forget_replaced(fd, target);
  return copied(fd, real_dup3(fd, target, flags));
}

#define KVMMOCK_FCNTL_ARGUMENT                 \
  va_list arguments;                           \
  va_start(arguments, command);                \
  const u64 argument = va_arg(arguments, u64); \
  va_end(arguments);

KVMMOCK_EXPORT int fcntl(int fd, int command, ...) {
  KVMMOCK_FCNTL_ARGUMENT
  return fcntl_with(real_fcntl, fd, command, argument);
}

KVMMOCK_EXPORT int fcntl64(int fd, int command, ...) {
  KVMMOCK_FCNTL_ARGUMENT
  return fcntl_with(real_fcntl64, fd, command, argument);
}
