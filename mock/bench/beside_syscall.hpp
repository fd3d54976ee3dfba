// A call beside the yardstick of the exit goals, a bare ioctl(2) that fails: both take turns in short rounds.
#pragma once

#include <benchmark/benchmark.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mock/bench/measure.hpp"

namespace bench {

inline void call_in_vain(int fd) { benchmark::DoNotOptimize(ioctl(fd, 0xae00, 0)); }

// Measures `call` in rounds; it gives false to end the benchmark. `of_syscall`: the median of the ratios.
template <class Call>
void beside_syscall(benchmark::State& state, int calls, Call call) {
  const int fd = eventfd(0, EFD_CLOEXEC);
  std::vector<double> ratios;
  for (auto _ : state) {
    const double t0 = cpu_seconds();
    for (int i = 0; i < calls; ++i)
      if (!call()) state.SkipWithError("unexpected answer");
    const double t1 = cpu_seconds();
    for (int i = 0; i < calls; ++i) call_in_vain(fd);
    const double t2 = cpu_seconds();
    ratios.push_back((t1 - t0) / (t2 - t1));
    state.SetIterationTime((t1 - t0) / calls);
  }
  state.counters["of_syscall"] = median(ratios);
  close(fd);
}

}  // namespace bench
