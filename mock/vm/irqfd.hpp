// KVM_IRQFD, api.rst 4.75: eventfds whose signal drives a gsi. One thread per VM waits for them; it starts with the
// first assignment and ends with the VM.
#pragma once

#include <list>
#include <mutex>
#include <thread>

#include "kvmapi/uapi/all.hpp"
#include "mock/vm/eventfds.hpp"

namespace mock::vm {

class Irqchip;

class Irqfds {
 public:
  explicit Irqfds(Irqchip& irqchip) : irqchip_(irqchip) {}
  ~Irqfds();

  // EBADF, EINVAL, EBUSY.
  Result<int> assign(const kvm_irqfd& request);
  Result<int> deassign(const kvm_irqfd& request);
  // The guest has acknowledged `gsi`: level-triggered lines drop, their owners are told.
  void acknowledged(u32 gsi);
  // In the child of a fork the thread does not exist.
  void forget_thread();

 private:
  struct Irqfd {
    u32 gsi;
    EventFd event;
    EventFd resample;
    bool is_level() const { return resample.fd() >= 0; }
  };

  Result<int> start();
  void serve();
  void take(int fd);

  Irqchip& irqchip_;
  std::mutex inject_mutex_;  // held while an interrupt is on its way; taken before mutex_
  std::mutex mutex_;         // guards the list; never held while the chips are driven
  std::list<Irqfd> irqfds_;
  int epoll_ = -1, stop_ = -1;
  std::thread thread_;
};

}  // namespace mock::vm
