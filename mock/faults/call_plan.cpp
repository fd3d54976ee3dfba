#include "mock/faults/call_plan.hpp"

namespace mock {

using namespace kvmapi;

void PlannedBackend::fail(u32 request, u64 skip, u64 count, Errno error) {
  const std::lock_guard lock(mutex_);
  Plan& plan = plans_[request];
  plan.skip = skip;
  plan.count = count;
  plan.error = error;
}

void PlannedBackend::fail_nothing() {
  const std::lock_guard lock(mutex_);
  for (auto& [request, plan] : plans_) plan.count = 0;
}

u64 PlannedBackend::calls(u32 request) const {
  const std::lock_guard lock(mutex_);
  const auto found = plans_.find(request);
  return found == plans_.end() ? 0 : found->second.calls;
}

u64 PlannedBackend::calls() const {
  const std::lock_guard lock(mutex_);
  u64 sum = 0;
  for (const auto& [request, plan] : plans_) sum += plan.calls;
  return sum;
}

Errno PlannedBackend::note(u32 request) {
  const std::lock_guard lock(mutex_);
  Plan& plan = plans_[request];
  ++plan.calls;
  if (plan.count == 0) return {};
  if (plan.skip > 0) {
    --plan.skip;
    return {};
  }
  --plan.count;
  return plan.error;
}

Result<int> PlannedBackend::ioctl(int fd, u32 request, u64 argument) {
  if (const Errno error = note(request); error != Errno{}) return err(error);
  return inner_->ioctl(fd, request, argument);
}

}  // namespace mock
