// A fence of which one side costs nothing: the frequent side (KVM_RUN says "I am in the guest" and looks for wishes)
// only keeps the compiler in order, the rare side (somebody wishes something) makes every thread of the process execute
// a full fence by membarrier(2). Where the kernel has no membarrier both sides are full fences.
#pragma once

#include <atomic>

namespace mock::vm {

extern std::atomic<bool> g_has_membarrier;

// Once per process, before the first use.
void prepare_asymmetric_fence();

inline void light_fence() {
  if (g_has_membarrier.load(std::memory_order_relaxed)) [[likely]] {
    std::atomic_signal_fence(std::memory_order_seq_cst);
  } else {
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
}

void heavy_fence();

}  // namespace mock::vm
