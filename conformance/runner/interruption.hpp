// SIGINT, SIGTERM and SIGHUP as a readable descriptor, so that a run can be ended in good order.
#pragma once

namespace conformance {

// One at a time. SIGPIPE is ignored as well: a reader that went away is an error of write(2).
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  int fd() const;             // readable once a signal has arrived, and from then on
  int signal_number() const;  // 0: none so far
};

}  // namespace conformance
