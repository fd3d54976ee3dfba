#include "kvmapi/read_memory.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace kvmapi {
namespace {

constexpr u64 kPage = 4096;

}  // namespace

std::size_t read_memory_through_pipe(u64 address, std::span<std::byte> out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return 0;
  std::size_t done = 0;
  while (done < out.size()) {
    const u64 from = address + done;
    const std::size_t in_page = std::min<u64>(out.size() - done, kPage - from % kPage);
    const ssize_t written = ::write(ends[1], reinterpret_cast<const void*>(from), in_page);
    if (written <= 0 || ::read(ends[0], out.data() + done, static_cast<std::size_t>(written)) != written) break;
    done += static_cast<std::size_t>(written);
  }
  ::close(ends[0]);
  ::close(ends[1]);
  return done;
}

std::size_t read_memory(u64 address, std::span<std::byte> out) {
  if (address < kPage || out.empty()) return 0;
  const int saved = errno;
  const iovec local{out.data(), out.size()};
  const iovec remote{reinterpret_cast<void*>(address), out.size()};
  const ssize_t copied = ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0);
  const bool is_forbidden = copied < 0 && errno != EFAULT;
  errno = saved;
  if (is_forbidden) return read_memory_through_pipe(address, out);
  return copied < 0 ? 0 : static_cast<std::size_t>(copied);
}

}  // namespace kvmapi
