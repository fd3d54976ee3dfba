// Eventfds that a VM holds: identity, a descriptor of our own, signalling that never blocks.
#pragma once

#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"

namespace mock::vm {

using namespace kvmapi;

class EventFd {
 public:
  EventFd() = default;
  EventFd(EventFd&& other) noexcept;
  EventFd& operator=(EventFd&& other) noexcept;
  ~EventFd();

  // Takes a reference to the user's eventfd. EBADF, EINVAL (not an eventfd), EMFILE.
  static Result<EventFd> from_user(int fd);

  int fd() const { return fd_; }
  // The same for all duplicates of one eventfd.
  u64 id() const { return id_; }
  void signal() const;
  // Takes the count if there is one; false otherwise.
  bool consume() const;

 private:
  int fd_ = -1;
  u64 id_ = 0;
};

}  // namespace mock::vm
