// What safety costs of every KVM_RUN, alone: noticing signals under both policies, catching a host page that vanishes,
// and keeping descriptor and vcpu from other threads. Each with the classes that KVM_RUN uses, on the way that it
// usually takes.
#include <fcntl.h>
#include <sys/mman.h>

#include <memory>

#include "mock/bench/beside_syscall.hpp"
#include "mock/vm/biased_mutex.hpp"
#include "mock/vm/fd_table.hpp"
#include "mock/vm/signals.hpp"
#include "mock/vm/user_memory.hpp"

namespace bench {
namespace {

using namespace mock::vm;

constexpr int kCallsPerRound = 2000;

void signals(benchmark::State& state, SignalPolicy policy) {
  std::atomic<u32> attention{0};
  const std::optional<SignalSet> run_mask;
  beside_syscall(state, kCallsPerRound, [&] {
    const SignalScope scope(policy, run_mask, attention);
    benchmark::ClobberMemory();
    return true;
  });
}

__attribute__((noinline)) bool with_guarded_memory() {
  HostFaultScope scope;
  if (__builtin_setjmp(scope.resume) != 0) return false;
  benchmark::ClobberMemory();
  return true;
}

void vanishing_pages(benchmark::State& state) {
  beside_syscall(state, kCallsPerRound, [] { return with_guarded_memory(); });
}

void other_threads(benchmark::State& state) {
  prepare_asymmetric_fence();
  FdTable table;
  const int fd = ::memfd_create("bench", MFD_CLOEXEC);
  int target = 0;
  table.add(fd, kvmapi::FdKind::System, std::make_shared<int>(), &target);
  BiasedMutex mutex;
  beside_syscall(state, kCallsPerRound, [&] {
    const FdTable::Pin pin(table, fd);
    const BiasedMutex::Lock lock(mutex);
    benchmark::ClobberMemory();
    return pin && lock;
  });
}

const bool kRegistered = [] {
  const auto add = [](const char* name, auto function) {
    benchmark::RegisterBenchmark(name, function)->UseManualTime()->Iterations(100);
  };
  add("exit_part/signals/wrapped", [](benchmark::State& state) { signals(state, SignalPolicy::wrapped); });
  add("exit_part/signals/blocked", [](benchmark::State& state) { signals(state, SignalPolicy::block); });
  add("exit_part/vanishing_pages", vanishing_pages);
  add("exit_part/other_threads", other_threads);
  return true;
}();

}  // namespace
}  // namespace bench
