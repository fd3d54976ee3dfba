// TracedBackend: passes every call to another backend and remembers the last ones, for failure output; a sink sees each
// call as it returns (strace-like text, JSON lines). Without a sink a call costs one ring slot and, for an ioctl with a
// pointer, one system call that copies the argument safely: a bad pointer is never dereferenced. KVM_RUN copies the
// head of the page that was mapped through this backend. Thread-safe. Arguments are captured after the call: what the
// kernel wrote is seen, and what it read is still there.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kvmapi/backend.hpp"
#include "kvmapi/call_record.hpp"

namespace kvmapi {

class TracedBackend final : public Backend {
 public:
  struct Options {
    std::size_t ring_calls = 64;     // how many calls are remembered
    bool captures_arguments = true;  // false: numbers and results only, no system call at all
    // Called after each call, one call at a time, on the thread that made it.
    std::function<void(const CallRecord&)> sink;
  };

  // `inner` must outlive this object.
  explicit TracedBackend(Backend& inner) : TracedBackend(inner, Options{}) {}
  TracedBackend(Backend& inner, Options options);
  ~TracedBackend() override;

  Result<int> open(const char* path, int flags) override;
  Result<int> ioctl(int fd, u32 request, u64 arg) override;
  Result<void*> mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd, off_t offset_bytes) override;
  Result<void> munmap(void* address, std::size_t length_bytes) override;
  Result<void> close(int fd) override;
  std::string name() const override { return inner_.name(); }

  // The last calls, oldest first. A call that another thread is just recording may be missing.
  std::vector<CallRecord> last_calls() const;
  // The same as text, one line per call, at most `count` lines.
  std::string last_calls_text(std::size_t count = ~std::size_t{0}) const;
  // Forgets the calls, e.g. between two tests. Descriptors stay known.
  void forget_calls();
  u64 calls_made() const { return next_.load(std::memory_order_relaxed); }

 private:
  struct Slot;
  struct Tracked;

  FdKind kind_of(int fd) const;
  const std::byte* page_of(int fd, std::size_t& bytes) const;
  void learn(int fd, FdKind kind);
  void learn_new_fd(u32 request, u64 arg, int result);
  void capture_argument(CallRecord& call) const;
  void capture_run(CallRecord& call) const;
  template <class Fill>
  void record(Fill fill);
  void tell_sink(Slot& slot, u64 sequence);

  Backend& inner_;
  Options options_;
  std::unique_ptr<Slot[]> ring_;
  std::unique_ptr<Tracked> tracked_;
  std::atomic<u64> next_{0};
  std::mutex sink_mutex_;
};

}  // namespace kvmapi
