// stat, access and their kin on the device path: a program that probes before it opens sees a character device 10:232
// that it may read and write.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "mock/preload/export.hpp"
#include "mock/preload/real.hpp"
#include "mock/preload/session.hpp"

namespace mock::preload {
namespace {

using Stat = int(const char*, struct stat*);
using FStatAt = int(int, const char*, struct stat*, int);
using XStat = int(int, const char*, struct stat*);
using FXStatAt = int(int, int, const char*, struct stat*, int);
using StatX = int(int, const char*, int, unsigned, struct statx*);
using Access = int(const char*, int);
using FAccessAt = int(int, const char*, int, int);

constinit Real<Stat> real_stat{"stat"}, real_stat64{"stat64"}, real_lstat{"lstat"}, real_lstat64{"lstat64"};
constinit Real<FStatAt> real_fstatat{"fstatat"}, real_fstatat64{"fstatat64"};
constinit Real<XStat> real_xstat{"__xstat"}, real_xstat64{"__xstat64"}, real_lxstat{"__lxstat"},
    real_lxstat64{"__lxstat64"};
constinit Real<FXStatAt> real_fxstatat{"__fxstatat"}, real_fxstatat64{"__fxstatat64"};
constinit Real<StatX> real_statx{"statx"};
constinit Real<Access> real_access{"access"}, real_eaccess{"eaccess"}, real_euidaccess{"euidaccess"};
constinit Real<FAccessAt> real_faccessat{"faccessat"};

constexpr unsigned kMajor = 10, kMinor = 232;  // Documentation/admin-guide/devices.txt
constexpr mode_t kMode = S_IFCHR | 0666;

bool is_ours(const char* path) { return !Inside::is_active() && serves_path(path); }

int fill(struct stat* status) {
  std::memset(status, 0, sizeof *status);
  status->st_mode = kMode;
  status->st_nlink = 1;
  status->st_ino = 1;
  status->st_rdev = makedev(kMajor, kMinor);
  status->st_blksize = 4096;
  return 0;
}

int fill(struct statx* status) {
  std::memset(status, 0, sizeof *status);
  status->stx_mask = STATX_BASIC_STATS;
  status->stx_mode = kMode;
  status->stx_nlink = 1;
  status->stx_ino = 1;
  status->stx_rdev_major = kMajor;
  status->stx_rdev_minor = kMinor;
  status->stx_blksize = 4096;
  return 0;
}

int check_access(int mode) {
  if (mode & X_OK) {
    errno = EACCES;
    return -1;
  }
  return 0;
}

}  // namespace
}  // namespace mock::preload

using namespace mock::preload;

// On x86-64 struct stat64 is struct stat.
#define KVMMOCK_STAT(name)                                                  \
  KVMMOCK_EXPORT int name(const char* path, struct stat* status) noexcept { \
    return is_ours(path) ? fill(status) : real_##name(path, status);        \
  }

// <sys/stat.h> declares the 64-bit names with struct stat64.
#define KVMMOCK_STAT64(name)                                                  \
  KVMMOCK_EXPORT int name(const char* path, struct stat64* status) noexcept { \
    auto* same = reinterpret_cast<struct stat*>(status);                      \
    return is_ours(path) ? fill(same) : real_##name(path, same);              \
  }

KVMMOCK_STAT(stat)
KVMMOCK_STAT(lstat)
KVMMOCK_STAT64(stat64)
KVMMOCK_STAT64(lstat64)

KVMMOCK_EXPORT int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
  return is_ours(path) ? fill(status) : real_fstatat(directory, path, status, flags);
}

KVMMOCK_EXPORT int fstatat64(int directory, const char* path, struct stat64* status, int flags) noexcept {
  auto* same = reinterpret_cast<struct stat*>(status);
  return is_ours(path) ? fill(same) : real_fstatat64(directory, path, same, flags);
}

// Programs built against a C library before 2.33 call these.
#define KVMMOCK_XSTAT(symbol, real)                                               \
  KVMMOCK_EXPORT int symbol(int version, const char* path, struct stat* status) { \
    return is_ours(path) ? fill(status) : real(version, path, status);            \
  }
KVMMOCK_XSTAT(__xstat, real_xstat)
KVMMOCK_XSTAT(__lxstat, real_lxstat)
KVMMOCK_XSTAT(__xstat64, real_xstat64)
KVMMOCK_XSTAT(__lxstat64, real_lxstat64)

KVMMOCK_EXPORT int __fxstatat(int version, int directory, const char* path, struct stat* status, int flags) {
  return is_ours(path) ? fill(status) : real_fxstatat(version, directory, path, status, flags);
}

KVMMOCK_EXPORT int __fxstatat64(int version, int directory, const char* path, struct stat* status, int flags) {
  return is_ours(path) ? fill(status) : real_fxstatat64(version, directory, path, status, flags);
}

KVMMOCK_EXPORT int statx(int directory, const char* path, int flags, unsigned mask, struct statx* status) noexcept {
  return is_ours(path) ? fill(status) : real_statx(directory, path, flags, mask, status);
}

KVMMOCK_EXPORT int access(const char* path, int mode) noexcept {
  return is_ours(path) ? check_access(mode) : real_access(path, mode);
}

KVMMOCK_EXPORT int eaccess(const char* path, int mode) noexcept {
  return is_ours(path) ? check_access(mode) : real_eaccess(path, mode);
}

KVMMOCK_EXPORT int euidaccess(const char* path, int mode) noexcept {
  return is_ours(path) ? check_access(mode) : real_euidaccess(path, mode);
}

KVMMOCK_EXPORT int faccessat(int directory, const char* path, int mode, int flags) noexcept {
  return is_ours(path) ? check_access(mode) : real_faccessat(directory, path, mode, flags);
}
