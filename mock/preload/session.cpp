#include "mock/preload/session.hpp"

#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "kvmapi/kernel_backend.hpp"
#include "mock/mock.hpp"
#include "mock/preload/launcher/settings.hpp"
#include "mock/preload/trace.hpp"

namespace mock::preload {
namespace {

// Never destroyed: threads of the program may still be in KVM_RUN while it exits.
struct Session {
  Settings settings;
  std::unique_ptr<Backend> backend;
};

// The served path is needed before any constructor has run and inside signal handlers: a plain buffer, filled once.
struct DevicePath {
  char text[PATH_MAX];
  DevicePath() {
    const char* given = std::getenv("KVMMOCK_DEVICE");
    std::snprintf(text, sizeof text, "%s", given != nullptr && *given != '\0' ? given : "/dev/kvm");
  }
};
const char* device_path() {
  static const DevicePath path;
  return path.text;
}

std::atomic<Session*> g_session{nullptr};

// The path of a real device goes to the kernel whatever name the program knows it by.
class RenamedDevice final : public Backend {
 public:
  explicit RenamedDevice(std::string path) : path_(std::move(path)) {}
  Result<int> open(const char*, int flags) override { return kernel_.open(path_.c_str(), flags); }
  Result<int> ioctl(int fd, u32 request, u64 arg) override { return kernel_.ioctl(fd, request, arg); }
  Result<void*> mmap(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) override {
    return kernel_.mmap(address, length, prot, flags, fd, offset);
  }
  Result<void> munmap(void* address, std::size_t length) override { return kernel_.munmap(address, length); }
  Result<void> close(int fd) override { return kernel_.close(fd); }
  std::string name() const override { return path_; }

 private:
  std::string path_;
  kvmapi::KernelBackend kernel_;
};

std::unique_ptr<Backend> make_backend(const Settings& settings) {
  if (settings.backend != "mock") return std::make_unique<RenamedDevice>(settings.backend);
  MockOptions options;
  if (!settings.profile.empty()) options.profile = settings.profile;
  options.device = settings.device;
  const char* signals =
      std::getenv("KVMMOCK_SIGNALS");  // "block": for programs that install handlers by raw system calls
  options.signals =
      signals != nullptr && std::strcmp(signals, "block") == 0 ? SignalPolicy::block : SignalPolicy::wrapped;
  MockResult result = make_mock(options);
  if (!result) std::fprintf(stderr, "kvmmock: %s\n", result.error.c_str());
  return std::move(result.backend);
}

Session* make_session() {
  auto made = std::make_unique<Session>();
  made->settings = from_environment();
  if (const std::string reason = why_wrong(made->settings); !reason.empty()) {
    std::fprintf(stderr, "kvmmock: %s\n", reason.c_str());
    return nullptr;
  }
  made->backend = make_backend(made->settings);
  if (made->backend == nullptr) return nullptr;
  made->backend = with_trace(std::move(made->backend), made->settings);
  if (made->backend == nullptr) return nullptr;
  return made.release();
}

}  // namespace

constinit std::array<std::atomic<u8>, kMostDescriptors> g_owned{};
thread_local int Inside::depth_ = 0;
thread_local u64 Inside::deferred_ = 0;

void Inside::release_deferred() {
  const u64 signals = deferred_;
  deferred_ = 0;
  sigset_t set;
  sigemptyset(&set);
  for (int signal = 1; signal <= 64; ++signal) {
    if (signals & (u64{1} << (signal - 1))) sigaddset(&set, signal);
  }
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool serves_path(const char* path) {
  if (path == nullptr) return false;
  return std::strcmp(path, device_path()) == 0;
}

Backend* session() {
  Session* current = g_session.load(std::memory_order_acquire);
  if (current == nullptr) {
    static std::mutex mutex;
    const Inside inside;
    const std::lock_guard lock(mutex);
    current = g_session.load(std::memory_order_acquire);
    if (current == nullptr) {
      current = make_session();
      g_session.store(current, std::memory_order_release);
    }
  }
  if (current == nullptr) {
    errno = ENODEV;
    return nullptr;
  }
  return current->backend.get();
}

void add_owned(int fd) {
  if (static_cast<unsigned>(fd) < kMostDescriptors) {
    g_owned[static_cast<unsigned>(fd)].store(1, std::memory_order_relaxed);
  }
}

// By the name of the file behind it: the mock's descriptors are memfds called "kvm...", the kernel's are anonymous
// inodes.
bool adopt(int fd) {
  Session* current = g_session.load(std::memory_order_acquire);
  if (current == nullptr || fd < 0) return false;
  const int before = errno;
  char link[40], target[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, target, sizeof target - 1);
  errno = before;
  if (length < 0) return false;
  target[length] = '\0';
  const char* prefix = current->settings.backend == "mock" ? "/memfd:kvm" : "anon_inode:kvm-";
  const bool is_ours = std::strncmp(target, prefix, std::strlen(prefix)) == 0 || current->settings.backend == target;
  if (is_ours) add_owned(fd);
  return is_ours;
}

int close_owned(int fd) {
  g_owned[static_cast<unsigned>(fd)].store(0, std::memory_order_relaxed);
  const Result<void> result = [fd] {
    const Inside inside;
    return session()->close(fd);
  }();
  if (result) return 0;
  errno = result.error().value();
  return -1;
}

}  // namespace mock::preload
