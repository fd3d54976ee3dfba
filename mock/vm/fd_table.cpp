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

// Opens the file behind `fd` once more: another open file description, whose flock conflicts with one held through
// `fd`.
int open_again(int fd) {
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return ::open(path, O_RDWR | O_CLOEXEC);
}

}  // namespace

FdTable::FdTable() : chunks_(std::make_unique<std::atomic<Chunk*>[]>(kChunks)) {}

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

// A number we have not seen: maybe a duplicate of one that we know.
FdTable::Pin FdTable::pin_unknown(int fd) {
  struct stat file {};
  if (fd < 0 || (fd >> kChunkBits) >= kChunks || ::fstat(fd, &file) != 0) return {};
  std::lock_guard lock(mutex_);
  for (auto& handle : handles_) {
    if (handle->inode != file.st_ino || handle->device != file.st_dev) continue;
    Entry& entry = make_entry(fd);
    if (!entry.handle.load()) attach(fd, handle.get());
    std::erase(unnumbered_, handle.get());
    entry.pins.fetch_add(1, std::memory_order_acq_rel);
    return Pin(this, &entry, entry.handle.load());
  }
  return {};
}

void FdTable::detach(Entry& entry) {
  Handle* handle = entry.handle.exchange(nullptr);
  corpses_.push_back({&entry, handle});
  entry.pins.fetch_or(kWaiting);
}

// Takes apart what nobody works with any more. Owners go to `garbage`, to be destroyed outside the lock.
void FdTable::collect(Garbage& garbage) {
  for (std::size_t i = 0; i < corpses_.size();) {
    const Corpse corpse = corpses_[i];
    if (corpse.entry->pins.load() & ~kWaiting) {
      ++i;
      continue;
    }
    corpses_.erase(corpses_.begin() + static_cast<std::ptrdiff_t>(i));
    const bool more =
        std::any_of(corpses_.begin(), corpses_.end(), [&](const Corpse& c) { return c.entry == corpse.entry; });
    if (!more) corpse.entry->pins.fetch_and(~kWaiting);
    Handle* handle = corpse.handle;
    if (--handle->numbers > 0) continue;
    if (std::find(unnumbered_.begin(), unnumbered_.end(), handle) != unnumbered_.end()) continue;
    const auto found = std::find_if(handles_.begin(), handles_.end(), [&](const auto& h) { return h.get() == handle; });
    garbage.push_back(std::move((*found)->owner));
    handles_.erase(found);
  }
}

void FdTable::sweep() {
  Garbage garbage;
  {
    std::lock_guard lock(mutex_);
    collect(garbage);
  }
}

Result<void> FdTable::close(int fd) {
  Pin found = pin(fd);
  // Not an object of KVM: a descriptor of statistics, or the caller's own.
  if (!found) return ::close(fd) == 0 ? Result<void>() : err(errno);
  Handle* handle = found.get();
  // Whether another descriptor (or a mapping) refers to the same open file: a lock held through this one survives its
  // close.
  const int again = open_again(fd);
  if (again >= 0) ::flock(fd, LOCK_EX | LOCK_NB);
  {
    std::lock_guard lock(mutex_);
    Entry* entry = find(fd);
    if (entry && entry->handle.load() == handle) detach(*entry);
    ::close(fd);
    const bool has_others = again >= 0 && ::flock(again, LOCK_EX | LOCK_NB) != 0;
    if (has_others) unnumbered_.push_back(handle);
  }
  if (again >= 0) ::close(again);
  return {};
}

void FdTable::mapping_closed() {}

void FdTable::after_fork() {
  // The lock may have been held by a thread that does not exist here.
  new (&mutex_) std::mutex;
}

}  // namespace mock::vm
