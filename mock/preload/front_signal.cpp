// Handlers are wrapped as they are installed. A signal that arrives while its thread is inside a call of the backend is
// queued again, blocked, until the call is over: handlers run after a call and never in the middle of one, as after a
// system call. If that call is KVM_RUN the vcpu is told to stop, so that it fails with EINTR. A call that no signal
// meets costs no system call.
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "mock/preload/export.hpp"
#include "mock/preload/real.hpp"
#include "mock/preload/session.hpp"
#include "mock/vm/signals.hpp"

namespace mock::preload {
namespace {

using SigAction = int(int, const struct sigaction*, struct sigaction*);
using Handler = void (*)(int);

constinit Real<SigAction> real_sigaction{"sigaction"};

constexpr int kSignals = 65;

// The program's handler and whether it wants SA_SIGINFO, in one word so that a handler sees both of one installation.
constexpr u64 kWantsInfo = u64{1} << 63;
// SA_RESETHAND is ours to do: a deferred signal comes twice.
constexpr u64 kOnce = u64{1} << 62;
constexpr u64 kAddress = kOnce - 1;
std::array<std::atomic<u64>, kSignals> g_handlers;

bool is_function(Handler handler) { return handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR; }

// Faults of the running code must be handled where they happen.
bool is_fault(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP ||
         signal == SIGSYS;
}

void defer(int signal, siginfo_t* info, void* context) {
  vm::note_signal();
  sigaddset(&static_cast<ucontext_t*>(context)->uc_sigmask, signal);
  Inside::defer(signal);
  const int before = errno;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), signal, info);
  errno = before;
}

void on_signal(int signal, siginfo_t* info, void* context) {
  if (Inside::is_active()) return defer(signal, info, context);
  const u64 handler = g_handlers[static_cast<unsigned>(signal)].load(std::memory_order_acquire);
  const u64 function = handler & kAddress;
  if (function == 0) return;
  if (handler & kOnce) {
    struct sigaction fallback = {};
    fallback.sa_handler = SIG_DFL;
    real_sigaction(signal, &fallback, nullptr);
  }
  if (handler & kWantsInfo) {
    reinterpret_cast<void (*)(int, siginfo_t*, void*)>(function)(signal, info, context);
  } else {
    reinterpret_cast<Handler>(function)(signal);
  }
}

bool is_wrapped(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) && action.sa_sigaction == on_signal;
}

int install(int signal, const struct sigaction* wanted, struct sigaction* before) {
  if (signal <= 0 || signal >= kSignals || is_fault(signal) || Inside::is_active())
    return real_sigaction(signal, wanted, before);
  std::atomic<u64>& slot = g_handlers[static_cast<unsigned>(signal)];
  const u64 old_handler = slot.load(std::memory_order_acquire);
  struct sigaction wrapped;
  const struct sigaction* given = wanted;
  // Ours already: whoever asks for the handler inside the C library gets the wrapper and may put it back.
  if (wanted != nullptr && is_function(wanted->sa_handler) && !is_wrapped(*wanted)) {
    u64 handler = reinterpret_cast<u64>(wanted->sa_handler);
    if (wanted->sa_flags & SA_SIGINFO) handler |= kWantsInfo;
    if (wanted->sa_flags & static_cast<int>(SA_RESETHAND)) handler |= kOnce;
    wrapped = *wanted;
    wrapped.sa_sigaction = on_signal;
    wrapped.sa_flags = (wrapped.sa_flags | SA_SIGINFO) & ~static_cast<int>(SA_RESETHAND);
    given = &wrapped;
    slot.store(handler, std::memory_order_release);
  }
  const int result = real_sigaction(signal, given, before);
  if (result != 0) {
    if (given == &wrapped) slot.store(old_handler, std::memory_order_release);
    return result;
  }
  if (before != nullptr && is_wrapped(*before)) {
    before->sa_handler = reinterpret_cast<Handler>(old_handler & kAddress);
    if (!(old_handler & kWantsInfo)) before->sa_flags &= ~SA_SIGINFO;
    if (old_handler & kOnce) before->sa_flags |= static_cast<int>(SA_RESETHAND);
  }
  return 0;
}

Handler install_simple(int signal, Handler handler, int flags) {
  struct sigaction wanted = {}, before = {};
  wanted.sa_handler = handler;
  wanted.sa_flags = flags;
  sigemptyset(&wanted.sa_mask);
  if (!(flags & SA_NODEFER) && signal > 0 && signal < kSignals) sigaddset(&wanted.sa_mask, signal);
  if (handler == SIG_ERR) {
    errno = EINVAL;
    return SIG_ERR;
  }
  return install(signal, &wanted, &before) == 0 ? before.sa_handler : SIG_ERR;
}

}  // namespace
}  // namespace mock::preload

using namespace mock::preload;

KVMMOCK_EXPORT int sigaction(int signal, const struct sigaction* wanted, struct sigaction* before) noexcept {
  return install(signal, wanted, before);
}

// BSD semantics, the C library's default: the handler stays, system calls restart.
KVMMOCK_EXPORT __sighandler_t signal(int signal, __sighandler_t handler) noexcept {
  return install_simple(signal, handler, SA_RESTART);
}

KVMMOCK_EXPORT __sighandler_t bsd_signal(int signal, __sighandler_t handler) noexcept {
  return install_simple(signal, handler, SA_RESTART);
}

KVMMOCK_EXPORT __sighandler_t ssignal(int signal, __sighandler_t handler) noexcept {
  return install_simple(signal, handler, SA_RESTART);
}

// System V semantics: one shot, not blocked meanwhile.
KVMMOCK_EXPORT __sighandler_t __sysv_signal(int signal, __sighandler_t handler) noexcept {
  return install_simple(signal, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}

KVMMOCK_EXPORT __sighandler_t sysv_signal(int signal, __sighandler_t handler) noexcept {
  return install_simple(signal, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER));
}

KVMMOCK_EXPORT __sighandler_t sigset(int signal, __sighandler_t handler) noexcept {
  sigset_t one, before;
  sigemptyset(&one);
  if (sigaddset(&one, signal) != 0) return SIG_ERR;
  if (handler == SIG_HOLD) {
    struct sigaction current;
    if (pthread_sigmask(SIG_BLOCK, &one, &before) != 0 || install(signal, nullptr, &current) != 0) return SIG_ERR;
    return sigismember(&before, signal) ? SIG_HOLD : current.sa_handler;
  }
  const __sighandler_t old_handler = install_simple(signal, handler, 0);
  if (old_handler == SIG_ERR || pthread_sigmask(SIG_UNBLOCK, &one, &before) != 0) return SIG_ERR;
  return sigismember(&before, signal) ? SIG_HOLD : old_handler;
}
