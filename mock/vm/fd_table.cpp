#include "mock/vm/fd_table.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace mock::vm {
namespace {

// The file behind a descriptor, by name.
class ProcPath {
 public:
  explicit ProcPath(int fd) { std::snprintf(text_, sizeof text_, "/proc/self/fd/%d", fd); }
  const char* c_str() const { return text_; }

 private:
  char text_[40];
};

// Opens the file behind `fd` once more: another open file description, whose flock conflicts with one held through
// `fd`.
int open_again(int fd) { return ::open(ProcPath(fd).c_str(), O_RDWR | O_CLOEXEC); }

bool has_link(int fd, const std::string& wanted) {
  char link[128];
  const ssize_t length = ::readlink(ProcPath(fd).c_str(), link, sizeof link);
  return length >= 0 && wanted == std::string_view(link, static_cast<std::size_t>(length));
}

}  // namespace

FdTable::~FdTable() {
  for (int i = 0; i < kChunks; ++i) {
    Chunk* chunk = chunks_[i].load();
    if (!chunk) continue;
    // Descriptors that the user left open would otherwise name dead objects.
    for (int j = 0; j < (1 << kChunkBits); ++j)
      if (chunk->entries[j].handle.load()) ::close((i << kChunkBits) + j);
    delete chunk;
  }
}

FdTable::Entry& FdTable::make_entry(int fd) {
  std::atomic<Chunk*>& chunk = chunks_[fd >> kChunkBits];
  if (!chunk.load()) chunk.store(new Chunk, std::memory_order_release);
  return chunk.load()->entries[fd & ((1 << kChunkBits) - 1)];
}

void FdTable::attach(int fd, Handle* handle) {
  Entry& entry = make_entry(fd);
  if (entry.handle.load()) detach(entry);  // its number was closed behind our back
  ++handle->numbers;
  entry.handle.store(handle, std::memory_order_release);
}

void FdTable::add(int fd, FdKind kind, std::shared_ptr<void> owner, void* target) {
  struct stat file {};
  ::fstat(fd, &file);
  auto handle = std::make_unique<Handle>();
  *handle = {.kind = kind,
             .owner = std::move(owner),
             .target = target,
             .device = file.st_dev,
             .inode = file.st_ino,
             .numbers = 0};
  Garbage garbage;
  std::lock_guard lock(mutex_);
  attach(fd, handle.get());
  handles_.push_back(std::move(handle));
  collect(garbage);
}

void FdTable::set_device(std::string file_name, System& system) {
  device_link_ = "/memfd:" + std::move(file_name) + " (deleted)";
  device_.target = &system;
}

void FdTable::add_device(int fd) {
  Garbage garbage;
  std::lock_guard lock(mutex_);
  attach(fd, &device_);
  collect(garbage);
}

Handle* FdTable::handle_of(int fd) {
  struct stat file {};
  if (::fstat(fd, &file) != 0) return nullptr;
  for (auto& handle : handles_)
    if (handle->inode == file.st_ino && handle->device == file.st_dev) return handle.get();
  const bool is_memfd = S_ISREG(file.st_mode) && file.st_nlink == 0;
  return is_memfd && has_link(fd, device_link_) ? &device_ : nullptr;
}

bool FdTable::adopt(int fd) {
  // Under the lock: a number that close() is just about to close, or uses for itself, is none of the user's.
  std::lock_guard lock(mutex_);
  if (fd < 0 || (fd >> kChunkBits) >= kChunks) return false;
  Handle* const handle = handle_of(fd);
  if (!handle) return false;
  if (!make_entry(fd).handle.load()) attach(fd, handle);
  std::erase(unnumbered_, handle);
  return true;
}

FdTable::Found FdTable::use(ThreadRecord& self, Entry& entry) {
  Handle* handle = entry.handle.load(std::memory_order_relaxed);
  if (!handle) return {nullptr, nullptr, EBADF};
  if (!self.begin_use(handle)) return {nullptr, nullptr, ENOMEM};
  while (handle) {
    Handle* const now = entry.handle.load(std::memory_order_acquire);
    if (now == handle) return {handle, &entry, 0};
    handle = now;
    self.change_use(handle);
  }
  self.end_use();
  if (entry.has_corpses.load(std::memory_order_relaxed)) sweep();
  return {nullptr, nullptr, EBADF};
}

FdTable::Found FdTable::use_slowly(ThreadRecord& self, int fd) {
  if (Entry* const entry = find(fd)) {
    const Found found = use(self, *entry);
    if (found.error != EBADF) return found;
  }
  if (!adopt(fd)) return {nullptr, nullptr, ::fcntl(fd, F_GETFD) < 0 ? EBADF : ENOTTY};
  return use(self, *find(fd));
}

void FdTable::detach(Entry& entry) {
  Handle* const handle = entry.handle.exchange(nullptr);
  if (handle == &device_) return;  // it never ends
  corpses_.push_back({&entry, handle});
  entry.has_corpses.store(true, std::memory_order_relaxed);
}

// Takes apart what nobody uses any more. Owners go to `garbage`, to be destroyed outside the lock. Who stops using a
// handle after our look sees has_corpses.
void FdTable::collect(Garbage& garbage) {
  if (corpses_.empty()) return;
  heavy_fence();
  const auto first_unused =
      std::partition(corpses_.begin(), corpses_.end(), [](const Corpse& c) { return ThreadRecord::is_used(c.handle); });
  for (auto corpse = first_unused; corpse != corpses_.end(); ++corpse) {
    const bool has_more =
        std::any_of(corpses_.begin(), first_unused, [&](const Corpse& c) { return c.entry == corpse->entry; });
    if (!has_more) corpse->entry->has_corpses.store(false, std::memory_order_relaxed);
    release(*corpse->handle, garbage);
  }
  corpses_.erase(first_unused, corpses_.end());
}

// One number less.
void FdTable::release(Handle& handle, Garbage& garbage) {
  if (--handle.numbers > 0) return;
  if (std::find(unnumbered_.begin(), unnumbered_.end(), &handle) != unnumbered_.end()) return;
  const auto found = std::find_if(handles_.begin(), handles_.end(), [&](const auto& h) { return h.get() == &handle; });
  garbage.push_back(std::move((*found)->owner));
  handles_.erase(found);
}

void FdTable::sweep() {
  Garbage garbage;
  {
    std::lock_guard lock(mutex_);
    collect(garbage);
  }
}

Result<void> FdTable::close(int fd) {
  const Pin found(*this, fd);
  // Not an object of KVM: a descriptor of statistics, or the caller's own.
  if (!found && found.error() == ENOMEM) return err(ENOMEM);
  if (!found) return ::close(fd) == 0 ? Result<void>() : err(errno);
  Handle* handle = found.get();
  std::lock_guard lock(mutex_);
  Entry& entry = *find(fd);
  if (entry.handle.load() != handle) return err(EBADF);  // another thread was faster
  if (handle == &device_) {
    detach(entry);
    ::close(fd);
    return {};
  }
  // Whether another descriptor (or a mapping) refers to the same open file: a lock held through this one survives its
  // close.
  const int again = open_again(fd);
  if (again >= 0) ::flock(fd, LOCK_EX | LOCK_NB);
  detach(entry);
  ::close(fd);
  const bool has_others = again >= 0 && ::flock(again, LOCK_EX | LOCK_NB) != 0;
  if (has_others) unnumbered_.push_back(handle);
  if (again >= 0) ::close(again);
  return {};
}

void FdTable::mapping_closed() {}

void FdTable::after_fork() {
  // The lock may have been held by a thread that does not exist here.
  new (&mutex_) std::mutex;
}

}  // namespace mock::vm
