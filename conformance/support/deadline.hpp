// Deadline: ends a system call of this thread that takes too long. While it lives, a timer is armed; when it fires, the
// thread gets a signal, so that KVM_RUN comes back with EINTR and the test can say so instead of hanging.
#pragma once

#include <signal.h>
#include <time.h>

namespace conformance {

class Deadline {
 public:
  explicit Deadline(int seconds);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  bool is_over() const;

 private:
  timer_t timer_{};
  bool is_armed_ = false;
};

}  // namespace conformance
