#include "mock/vm/run_pages.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace mock::vm {

RunPages::RunPages(RunPages&& other) noexcept { *this = std::move(other); }

RunPages& RunPages::operator=(RunPages&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(bytes_, other.bytes_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(is_mapping_, other.is_mapping_);
  return *this;
}

RunPages::~RunPages() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (is_mapping_)
    ::munmap(address_, bytes_);
  else
    std::free(address_);
}

RunPages RunPages::in_heap(u64 ring_bytes) {
  RunPages pages;
  pages.bytes_ = run_bytes(ring_bytes);
  pages.address_ = static_cast<u8*>(std::aligned_alloc(4096, pages.bytes_));
  std::memset(pages.address_, 0, pages.bytes_);
  return pages;
}

Result<RunPages> RunPages::in_memfd(u64 ring_bytes) {
  const int file = ::memfd_create("kvm-vcpu", MFD_CLOEXEC);
  if (file < 0) return err(errno);
  RunPages pages;
  pages.bytes_ = run_bytes(ring_bytes);
  void* mapping = MAP_FAILED;
  if (::ftruncate(file, static_cast<off_t>(pages.bytes_)) == 0)
    mapping = ::mmap(nullptr, pages.bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  int error = mapping == MAP_FAILED ? errno : 0;
  if (!error && (pages.descriptor_ = ::open(path, O_RDWR | O_CLOEXEC)) < 0) {
    // Without /proc the user shares our description; only early destruction of the VM is lost.
    if (errno == EMFILE || errno == ENFILE)
      error = errno;
    else
      pages.descriptor_ = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
  }
  ::close(file);
  if (mapping != MAP_FAILED) {
    pages.address_ = static_cast<u8*>(mapping);
    pages.is_mapping_ = true;
  }
  if (error) return err(error);
  return pages;
}

int RunPages::release_descriptor() { return std::exchange(descriptor_, -1); }

}  // namespace mock::vm
