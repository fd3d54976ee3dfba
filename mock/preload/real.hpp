// The C library's own functions behind the ones that this library replaces. Looked up once with RTLD_NEXT, so that
// other preloaded libraries and sanitizers keep their place in the chain; usable before our constructors have run.
#pragma once

#include <dlfcn.h>

#include <atomic>

namespace mock::preload {

// real<&ioctl>("ioctl")-like look-up without a lock: two threads may both look up, they find the same.
template <class Function>
class Real {
 public:
  constexpr explicit Real(const char* name) : name_(name) {}

  // nullptr if the C library has no such function (old `__xstat` names on a new library, say).
  Function* get() const {
    Function* found = function_.load(std::memory_order_relaxed);
    if (found == nullptr) [[unlikely]] {
      found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name_));
      function_.store(found, std::memory_order_relaxed);
    }
    return found;
  }

  template <class... Args>
  auto operator()(Args... args) const {
    return get()(args...);
  }

 private:
  const char* name_;
  mutable std::atomic<Function*> function_{nullptr};
};

}  // namespace mock::preload
