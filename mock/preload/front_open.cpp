// The open family on the device path. Everything else goes to the C library untouched.
#include <cerrno>
#include <cstdarg>

#include "mock/preload/export.hpp"
#include "mock/preload/real.hpp"
#include "mock/preload/session.hpp"

// <fcntl.h> would declare these functions with attributes and, fortified, define some of them.
#define KVMMOCK_O_CREAT 0100
#define KVMMOCK_O_TMPFILE 020200000

namespace mock::preload {
namespace {

using Open = int(const char*, int, ...);
using OpenAt = int(int, const char*, int, ...);
using Open2 = int(const char*, int);
using OpenAt2 = int(int, const char*, int);

constinit Real<Open> real_open{"open"}, real_open64{"open64"};
constinit Real<OpenAt> real_openat{"openat"}, real_openat64{"openat64"};
constinit Real<Open2> real_open_2{"__open_2"}, real_open64_2{"__open64_2"};
constinit Real<OpenAt2> real_openat_2{"__openat_2"}, real_openat64_2{"__openat64_2"};

bool is_ours(const char* path) { return !Inside::is_active() && serves_path(path); }

int open_device(const char* path, int flags) {
  Backend* backend = session();
  if (backend == nullptr) return -1;
  const Result<int> fd = [=] {
    const Inside inside;
    return backend->open(path, flags);
  }();
  if (!fd) {
    errno = fd.error().value();
    return -1;
  }
  add_owned(*fd);
  return *fd;
}

// The mode argument exists only with these flags.
bool has_mode(int flags) { return (flags & KVMMOCK_O_CREAT) || (flags & KVMMOCK_O_TMPFILE) == KVMMOCK_O_TMPFILE; }

}  // namespace
}  // namespace mock::preload

using namespace mock::preload;

#define KVMMOCK_MODE_ARGUMENT(flags)    \
  unsigned mode = 0;                    \
  if (has_mode(flags)) {                \
    va_list arguments;                  \
    va_start(arguments, flags);         \
    mode = va_arg(arguments, unsigned); \
    va_end(arguments);                  \
  }

KVMMOCK_EXPORT int open(const char* path, int flags, ...) {
  KVMMOCK_MODE_ARGUMENT(flags)
  return is_ours(path) ? open_device(path, flags) : real_open(path, flags, mode);
}

KVMMOCK_EXPORT int open64(const char* path, int flags, ...) {
  KVMMOCK_MODE_ARGUMENT(flags)
  return is_ours(path) ? open_device(path, flags) : real_open64(path, flags, mode);
}

KVMMOCK_EXPORT int openat(int directory, const char* path, int flags, ...) {
  KVMMOCK_MODE_ARGUMENT(flags)
  return is_ours(path) ? open_device(path, flags) : real_openat(directory, path, flags, mode);
}

KVMMOCK_EXPORT int openat64(int directory, const char* path, int flags, ...) {
  KVMMOCK_MODE_ARGUMENT(flags)
  return is_ours(path) ? open_device(path, flags) : real_openat64(directory, path, flags, mode);
}

// What -D_FORTIFY_SOURCE makes of an open without a mode.
KVMMOCK_EXPORT int __open_2(const char* path, int flags) {
  return is_ours(path) ? open_device(path, flags) : real_open_2(path, flags);
}

KVMMOCK_EXPORT int __open64_2(const char* path, int flags) {
  return is_ours(path) ? open_device(path, flags) : real_open64_2(path, flags);
}

KVMMOCK_EXPORT int __openat_2(int directory, const char* path, int flags) {
  return is_ours(path) ? open_device(path, flags) : real_openat_2(directory, path, flags);
}

KVMMOCK_EXPORT int __openat64_2(int directory, const char* path, int flags) {
  return is_ours(path) ? open_device(path, flags) : real_openat64_2(directory, path, flags);
}
