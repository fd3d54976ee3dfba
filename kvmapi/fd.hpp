// Fd: one descriptor of a backend, closed on destruction, and the ways to pass an ioctl's argument. System, Vm, Vcpu
// and Device are Fds with one method per ioctl; raw() is for calls that those methods would not make.
#pragma once

#include <type_traits>
#include <utility>

#include "kvmapi/backend.hpp"
#include "kvmapi/ioctl.hpp"

namespace kvmapi {

class Fd {
 public:
  Fd() = default;
  // Takes ownership of `fd`, which `backend` gave. The backend must outlive this object.
  Fd(Backend& backend, int fd) : backend_(&backend), fd_(fd) {}
  Fd(Fd&& other) noexcept : backend_(std::exchange(other.backend_, nullptr)), fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      backend_ = std::exchange(other.backend_, nullptr);
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // Only while open.
  Backend& backend() const { return *backend_; }

  // ioctl(fd, request, arg) as it is: any number, any argument. On a closed Fd: EBADF.
  Result<int> raw(u32 request, u64 arg = 0) const {
    if (backend_ == nullptr) return err(9 /* EBADF */);
    return backend_->ioctl(fd_, request, arg);
  }
  Result<int> raw(Ioctl request, u64 arg = 0) const { return raw(number(request), arg); }
  Result<int> raw(u32 request, const void* arg) const { return raw(request, reinterpret_cast<u64>(arg)); }
  Result<int> raw(Ioctl request, const void* arg) const { return raw(number(request), arg); }

  // Closes now; the destructor then does nothing.
  void close() {
    if (fd_ >= 0) (void)backend_->close(fd_);
    fd_ = -1;
  }
  // Gives the descriptor away: the caller closes it.
  int release() { return std::exchange(fd_, -1); }

 protected:
  // The argument's struct is read, written, or both, by the kernel.
  template <class T>
  Result<int> in(Ioctl request, const T& argument) const {
    return raw(request, static_cast<const void*>(&argument));
  }
  template <class T>
  Result<T> out(Ioctl request) const {
    T value{};
    const Result<int> result = raw(request, static_cast<const void*>(&value));
    if (!result.ok()) return err(result.error());
    return value;
  }
  template <class T>
  Result<int> inout(Ioctl request, T& argument) const {
    return raw(request, static_cast<const void*>(&argument));
  }
  // A request that returns a descriptor.
  template <class T>
  Result<T> make(Ioctl request, u64 arg = 0) const {
    const Result<int> fd = raw(request, arg);
    if (!fd.ok()) return err(fd.error());
    return T(*backend_, *fd);
  }

 private:
  Backend* backend_ = nullptr;
  int fd_ = -1;
};

}  // namespace kvmapi
