#include "mock/preload/trace.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>

#include "kvmapi/traced_backend.hpp"

namespace mock::preload {
namespace {

using kvmapi::u64;

thread_local u64 t_started_ns;

u64 now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}
void start() { t_started_ns = now_ns(); }
u64 elapsed_ns() { return now_ns() - t_started_ns; }

// As strace -T: the time in the call at the end of the line.
std::string text_line(const kvmapi::CallRecord& call, u64 ns) {
  return fmt::format("{} <{}.{:09}>\n", kvmapi::to_text(call), ns / 1'000'000'000, ns % 1'000'000'000);
}

std::string json_line(const kvmapi::CallRecord& call, u64 ns) {
  std::string object = kvmapi::to_json(call);
  object.pop_back();
  return fmt::format("{},\"duration_ns\":{}}}\n", object, ns);
}

// Owns what TracedBackend only refers to.
class OwningTrace final : public kvmapi::Backend {
 public:
  OwningTrace(std::unique_ptr<kvmapi::Backend> inner, std::FILE* file, bool as_json)
      : inner_(std::move(inner)), traced_(*inner_, {.sink = [file, as_json](const kvmapi::CallRecord& call) {
          const std::string line = as_json ? json_line(call, elapsed_ns()) : text_line(call, elapsed_ns());
          // One write a line: the lines of several processes on one file do not mix.
          std::fwrite(line.data(), 1, line.size(), file);
          std::fflush(file);
        }}) {}

  kvmapi::Result<int> open(const char* path, int flags) override {
    start();
    return traced_.open(path, flags);
  }
  kvmapi::Result<int> ioctl(int fd, kvmapi::u32 request, kvmapi::u64 arg) override {
    start();
    return traced_.ioctl(fd, request, arg);
  }
  kvmapi::Result<void*> mmap(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) override {
    return traced_.mmap(address, length, prot, flags, fd, offset);
  }
  kvmapi::Result<void> munmap(void* address, std::size_t length) override {
    start();
    return traced_.munmap(address, length);
  }
  kvmapi::Result<void> close(int fd) override {
    start();
    return traced_.close(fd);
  }
  std::string name() const override { return inner_->name(); }

 private:
  std::unique_ptr<kvmapi::Backend> inner_;
  kvmapi::TracedBackend traced_;
};

}  // namespace

std::unique_ptr<kvmapi::Backend> with_trace(std::unique_ptr<kvmapi::Backend> backend, const Settings& settings) {
  if (settings.trace.empty()) return backend;
  std::FILE* file = stderr;
  if (settings.trace != "-") {
    file = std::fopen(settings.trace.c_str(), "ae");
    if (file == nullptr) {
      std::fprintf(stderr, "kvmmock: can not write the trace to %s: %s\n", settings.trace.c_str(),
                   std::strerror(errno));
      return nullptr;
    }
  }
  return std::make_unique<OwningTrace>(std::move(backend), file, settings.trace_format == "json");
}

}  // namespace mock::preload
