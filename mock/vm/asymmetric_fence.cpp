#include "mock/vm/asymmetric_fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mutex>

namespace mock::vm {

std::atomic<bool> g_has_membarrier{false};

void prepare_asymmetric_fence() {
  static std::once_flag once;
  std::call_once(
      once, [] { g_has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0; });
}

void heavy_fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!g_has_membarrier.load(std::memory_order_relaxed)) return;
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) g_has_membarrier = false;
}

}  // namespace mock::vm
