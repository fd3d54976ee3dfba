// The one KVM behind the front: the device path that it serves, the backend that answers, whether calls are traced.
// Settings come from the environment (launcher/settings.hpp); nothing is made before the program opens the device.
#pragma once

#include <array>
#include <atomic>

#include "kvmapi/backend.hpp"

namespace mock::preload {

using kvmapi::Backend;
using kvmapi::Result;
using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

// Is this the device that the session serves? Compares text: no system call, safe in a signal handler.
bool serves_path(const char* path);

// The backend, made at the first call. nullptr if it can not be set up: the reason has been printed, errno is set.
Backend* session();

// --- Descriptors of the session: one byte each, so that every other descriptor of the program costs one load.
inline constexpr unsigned kMostDescriptors = 1u << 16;
extern constinit std::array<std::atomic<u8>, kMostDescriptors> g_owned;

inline bool owns(int fd) {
  return static_cast<unsigned>(fd) < kMostDescriptors &&
         g_owned[static_cast<unsigned>(fd)].load(std::memory_order_relaxed) != 0;
}
void add_owned(int fd);
// A descriptor that came here unseen: is it one of the session's? Then it is owned from now on.
bool adopt(int fd);
// close(2) of an owned one: 0, or -1 and errno.
int close_owned(int fd);

template <class F>
void for_each_owned(unsigned first, unsigned last, F&& f) {
  for (unsigned fd = first; fd <= last && fd < kMostDescriptors; ++fd) {
    if (owns(static_cast<int>(fd))) f(static_cast<int>(fd));
  }
}

// While a call is inside the backend, its own use of the C library must not come back here, and signal handlers wait.
// Results are taken out before the end of the scope and errno is set after it: handlers that waited run there.
class Inside {
 public:
  Inside() { ++depth_; }
  ~Inside() {
    if (--depth_ == 0 && deferred_ != 0) [[unlikely]]
      release_deferred();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  static bool is_active() { return depth_ != 0; }

  // Called by a signal's wrapper on this thread: the signal is blocked and queued, and will be let through at the end.
  static void defer(int signal) { deferred_ |= u64{1} << (signal - 1); }

 private:
  static void release_deferred();
  static thread_local int depth_ __attribute__((tls_model("initial-exec")));
  static thread_local u64 deferred_ __attribute__((tls_model("initial-exec")));
};

}  // namespace mock::preload
