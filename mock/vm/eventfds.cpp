#include "mock/vm/eventfds.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

namespace mock::vm {
namespace {

// "eventfd-id" of /proc/self/fdinfo (Linux 5.2); nothing for a file that is no eventfd.
std::optional<u64> eventfd_id(int fd) {
  char path[48], text[256];
  std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  const int info = ::open(path, O_RDONLY | O_CLOEXEC);
  if (info < 0) return std::nullopt;
  const ssize_t bytes = ::read(info, text, sizeof text - 1);
  ::close(info);
  if (bytes <= 0) return std::nullopt;
  text[bytes] = 0;
  const char* id = std::strstr(text, "eventfd-id:");
  if (!id) return std::nullopt;
  return std::strtoull(id + sizeof "eventfd-id:" - 1, nullptr, 10);
}

}  // namespace

EventFd::EventFd(EventFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), id_(other.id_) {}

EventFd& EventFd::operator=(EventFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(id_, other.id_);
  return *this;
}

EventFd::~EventFd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<EventFd> EventFd::from_user(int fd) {
  if (::fcntl(fd, F_GETFD) < 0) return err(EBADF);
  const std::optional<u64> id = eventfd_id(fd);
  if (!id) return err(EINVAL);
  EventFd event;
  event.id_ = *id;
  event.fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (event.fd_ < 0) return err(errno);
  return event;
}

// A counter at its maximum would block a writer; the kernel lets it stay there.
void EventFd::signal() const {
  pollfd set{fd_, POLLOUT, 0};
  const u64 one = 1;
  if (::poll(&set, 1, 0) == 1) [[maybe_unused]]
    ssize_t written = ::write(fd_, &one, sizeof one);
}

bool EventFd::consume() const {
  u64 count;
  iovec vector{&count, sizeof count};
  return ::preadv2(fd_, &vector, 1, -1, RWF_NOWAIT) == sizeof count;
}

}  // namespace mock::vm
