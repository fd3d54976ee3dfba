// Time and medians, for benchmarks that interleave what they compare.
#pragma once

#include <algorithm>
#include <ctime>
#include <vector>

namespace bench {

// CPU time of the thread: wall time of a shared machine means little.
inline double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace bench
