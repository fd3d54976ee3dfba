// Access to the caller's memory. Pointers inside ioctl arguments and host pages behind memory slots belong to the
// caller and may be bad at any moment: a good one costs a few nanoseconds, a bad one gives false, never a crash.
//
// How: the few instructions that touch such memory lie in one assembly block; a SIGSEGV/SIGBUS handler recognises a
// fault inside it by its instruction pointer and lets the block return "failed". Every other fault goes to the handler
// that was installed before.
#pragma once

#include <cstddef>

#include "kvmapi/types.hpp"

namespace mock::vm {

using namespace kvmapi;  // u8 ... s64, Result, err

// Installs the fault handlers once per process. Called by System's constructor.
void install_fault_guard();

// True if [address, address + bytes) can be user memory at all (the kernel's access_ok).
constexpr bool is_user_range(u64 address, u64 bytes) {
  constexpr u64 kUserLimit = 0x7ffffffff000;
  return bytes <= kUserLimit && address <= kUserLimit - bytes;
}

[[nodiscard]] bool copy_from_user(void* to, u64 from, std::size_t bytes);
[[nodiscard]] bool copy_to_user(u64 to, const void* from, std::size_t bytes);

template <class T>
[[nodiscard]] bool get_user(T& value, u64 from) {
  return copy_from_user(&value, from, sizeof value);
}
template <class T>
[[nodiscard]] bool put_user(u64 to, const T& value) {
  return copy_to_user(to, &value, sizeof value);
}

// Whether the byte can be read (written) now; populates the page as an access of the caller would. Never changes
// memory.
[[nodiscard]] bool is_readable(const void* address);
[[nodiscard]] bool is_writable(void* address);

// A place to go on when code outside the assembly block faults on guest memory: the interpreter touches host pages
// directly, and the caller may unmap one while a vcpu runs. While such an object lives, a SIGSEGV or SIGBUS of this
// thread continues at __builtin_setjmp(resume) with `address` set; who resumes must have nothing to destroy in between.
struct HostFaultScope {
  HostFaultScope() : outer_(t_innermost) { t_innermost = this; }
  ~HostFaultScope() { t_innermost = outer_; }
  HostFaultScope(const HostFaultScope&) = delete;
  HostFaultScope& operator=(const HostFaultScope&) = delete;

  // The fault was not guest memory's but a bug of ours: ends the process as the fault would have.
  [[noreturn]] void die() const;

  void* resume[5];
  u64 address = 0;
  int signal = 0;

  // initial-exec: an access is one instruction also in a shared library.
  static inline thread_local constinit HostFaultScope* t_innermost __attribute__((tls_model("initial-exec"))) = nullptr;

 private:
  HostFaultScope* outer_;
};

}  // namespace mock::vm
