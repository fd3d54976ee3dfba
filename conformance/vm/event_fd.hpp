// An eventfd of this process, closed with the object.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "conformance/support/ctx.hpp"
#include "kvmapi/types.hpp"

namespace conformance {

class EventFd {
 public:
  EventFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw BrokenSetup("eventfd failed");
  }
  EventFd(EventFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  EventFd& operator=(EventFd&&) = delete;
  ~EventFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  // Takes the counter: 0 when nothing was signalled.
  kvmapi::u64 take() {
    kvmapi::u64 count = 0;
    return ::read(fd_, &count, sizeof count) == sizeof count ? count : 0;
  }
  void signal() {
    const kvmapi::u64 one = 1;
    if (::write(fd_, &one, sizeof one) != sizeof one) throw BrokenSetup("write to an eventfd failed");
  }

 private:
  int fd_;
};

}  // namespace conformance
