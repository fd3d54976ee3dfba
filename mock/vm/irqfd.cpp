#include "mock/vm/irqfd.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "kvmapi/uapi/constants.hpp"
#include "mock/vm/irqchip.hpp"

namespace mock::vm {

Irqfds::~Irqfds() {
  if (thread_.joinable()) {
    const u64 one = 1;
    [[maybe_unused]] ssize_t written = ::write(stop_, &one, sizeof one);
    thread_.join();
  }
  if (epoll_ >= 0) ::close(epoll_);
  if (stop_ >= 0) ::close(stop_);
}

void Irqfds::forget_thread() {
  if (thread_.joinable()) thread_.detach();
}

Result<int> Irqfds::start() {
  if (thread_.joinable()) return 0;
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || stop_ < 0) return err(errno);
  epoll_event event{.events = EPOLLIN, .data = {.fd = stop_}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event);
  // The program's signals are for its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return 0;
}

void Irqfds::serve() {
  epoll_event events[16];
  for (;;) {
    const int count = ::epoll_wait(epoll_, events, 16, -1);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == stop_) return;
      take(events[i].data.fd);
    }
  }
}

void Irqfds::take(int fd) {
  std::lock_guard injecting(inject_mutex_);
  u32 gsi;
  bool is_level;
  {
    std::lock_guard lock(mutex_);
    const auto found = std::find_if(irqfds_.begin(), irqfds_.end(), [&](const Irqfd& f) { return f.event.fd() == fd; });
    if (found == irqfds_.end() || !found->event.consume()) return;
    gsi = found->gsi;
    is_level = found->is_level();
  }
  irqchip_.set_line(IrqSource::irqfd, gsi, true);
  if (!is_level) irqchip_.set_line(IrqSource::irqfd, gsi, false);
}

Result<int> Irqfds::assign(const kvm_irqfd& request) {
  Result<EventFd> event = EventFd::from_user(static_cast<int>(request.fd));
  if (!event) return err(event.error());
  Irqfd made{.gsi = request.gsi, .event = std::move(*event), .resample = {}};
  if (request.flags & kIrqfdFlagResample) {
    Result<EventFd> resample = EventFd::from_user(static_cast<int>(request.resamplefd));
    if (!resample) return err(resample.error());
    made.resample = std::move(*resample);
  }
  std::lock_guard lock(mutex_);
  for (const Irqfd& other : irqfds_)
    if (other.event.id() == made.event.id()) return err(EBUSY);
  if (Result<int> started = start(); !started) return started;
  // A count that is there already is an event, too: epoll reports it.
  epoll_event wish{.events = EPOLLIN, .data = {.fd = made.event.fd()}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, made.event.fd(), &wish) < 0) return err(errno);
  irqfds_.push_back(std::move(made));
  return 0;
}

Result<int> Irqfds::deassign(const kvm_irqfd& request) {
  Result<EventFd> event = EventFd::from_user(static_cast<int>(request.fd));
  if (!event) return err(event.error());
  {
    std::lock_guard lock(mutex_);
    for (auto irqfd = irqfds_.begin(); irqfd != irqfds_.end();) {
      if (irqfd->event.id() != event->id() || irqfd->gsi != request.gsi) {
        ++irqfd;
        continue;
      }
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, irqfd->event.fd(), nullptr);
      irqfd = irqfds_.erase(irqfd);
    }
  }
  // No interrupt of it comes after the return: one on its way has arrived.
  std::lock_guard arrived(inject_mutex_);
  return 0;
}

void Irqfds::acknowledged(u32 gsi) {
  bool drop = false;
  {
    std::lock_guard lock(mutex_);
    for (const Irqfd& irqfd : irqfds_)
      if (irqfd.gsi == gsi && irqfd.is_level()) drop = true;
  }
  if (!drop) return;
  irqchip_.set_line(IrqSource::irqfd, gsi, false);
  std::lock_guard lock(mutex_);
  for (const Irqfd& irqfd : irqfds_)
    if (irqfd.gsi == gsi && irqfd.is_level()) irqfd.resample.signal();
}

}  // namespace mock::vm
