// From a descriptor number to the object behind it. Look-up takes a few nanoseconds, no lock and no atomic change: the
// entry of a number is never freed, and a user says in its ThreadRecord which handle it works with. Closing while
// another thread works defers the end to that thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kvmapi/kinds.hpp"
#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"
#include "mock/vm/thread_record.hpp"

namespace mock::vm {

using namespace kvmapi;

class System;
class Vm;
class Vcpu;
class Device;

// What a set of duplicated descriptors refers to.
struct Handle {
  FdKind kind = FdKind::System;
  std::shared_ptr<void> owner;  // keeps the target alive
  void* target = nullptr;       // System, Vm, Vcpu or Device

  // Identity of the file behind the descriptors.
  dev_t device = 0;
  ino_t inode = 0;
  int numbers = 0;  // entries of the table that refer to it

  System& system() const { return *static_cast<System*>(target); }
  Vm& vm() const { return *static_cast<Vm*>(target); }
  Vcpu& vcpu() const { return *static_cast<Vcpu*>(target); }
  Device& device_object() const { return *static_cast<Device*>(target); }
};

class FdTable {
 public:
  FdTable() = default;
  ~FdTable();
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;

  struct Entry {
    std::atomic<Handle*> handle{nullptr};
    std::atomic<bool> has_corpses{false};  // handles that this number had wait for their last user
  };

  struct Found {
    Handle* handle;
    Entry* entry;
    int error;  // without handle
  };

  // A look-up, good as long as it lives.
  class Pin {
   public:
    Pin(FdTable& table, int fd)
        : table_(table), self_(ThreadRecord::mine()), found_(table.use_known(self_, table.find(fd))) {
      if (!found_.handle) [[unlikely]]
        found_ = table.use_slowly(self_, fd);
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
      if (!found_.handle) return;
      self_.end_use();
      if (found_.entry->has_corpses.load(std::memory_order_relaxed)) [[unlikely]]
        table_.sweep();
    }
    explicit operator bool() const { return found_.handle != nullptr; }
    // Why there is none: EBADF; ENOTTY for a descriptor that is not ours; ENOMEM when signal handlers have interrupted
    // each other inside too many calls.
    int error() const { return found_.error; }
    Handle* operator->() const { return found_.handle; }
    Handle* get() const { return found_.handle; }

   private:
    FdTable& table_;
    ThreadRecord& self_;
    Found found_;
  };

  // The device: `system` outlives the table. Its descriptors are memfds of this name.
  void set_device(std::string file_name, System& system);
  // Makes `fd` a descriptor of the device. With the last one nothing ends, so nobody has to know which is the last.
  void add_device(int fd);
  // Makes `fd` (a memfd of its own) a descriptor of `target`.
  void add(int fd, FdKind kind, std::shared_ptr<void> owner, void* target);
  // close(2): the object ends with the last descriptor, also one this table never saw. EBADF.
  Result<void> close(int fd);
  // A mapping of a vcpu went away, which may have been the last reference to it.
  void mapping_closed();

  // In a fork's child, where no other thread exists.
  void after_fork();

 private:
  static constexpr int kChunkBits = 8, kChunks = 1 << 14;
  struct Chunk {
    Entry entries[1 << kChunkBits];
  };

  Entry* find(int fd) const {
    const u32 index = static_cast<u32>(fd) >> kChunkBits;
    if (index >= kChunks) return nullptr;  // also a negative one
    Chunk* chunk = chunks_[index].load(std::memory_order_acquire);
    return chunk ? &chunk->entries[fd & ((1 << kChunkBits) - 1)] : nullptr;
  }
  Entry& make_entry(int fd);
  // Says that this thread uses the entry's handle; without one if that is not as simple as usual. The relaxed load only
  // guesses: what counts is the second one, behind the fence that makes the use visible.
  Found use_known(ThreadRecord& self, Entry* entry) {
    Handle* const handle = entry ? entry->handle.load(std::memory_order_relaxed) : nullptr;
    if (!handle || !self.begin_use(handle)) [[unlikely]]
      return {nullptr, nullptr, 0};
    if (entry->handle.load(std::memory_order_acquire) == handle) [[likely]]
      return {handle, entry, 0};
    self.end_use();
    if (entry->has_corpses.load(std::memory_order_relaxed)) sweep();
    return {nullptr, nullptr, 0};
  }
  // EBADF, ENOMEM.
  Found use(ThreadRecord& self, Entry& entry);
  Found use_slowly(ThreadRecord& self, int fd);
  // Attaches a number we have not seen if it is a duplicate of one that we know.
  bool adopt(int fd);
  // The handle of the file behind it, or null.
  Handle* handle_of(int fd);
  void sweep();
  void attach(int fd, Handle* handle);
  // Detaches the number; the handle is released when nobody uses it. The caller holds mutex_.
  void detach(Entry& entry);
  using Garbage = std::vector<std::shared_ptr<void>>;
  void collect(Garbage& garbage);
  void release(Handle& handle, Garbage& garbage);

  struct Corpse {
    Entry* entry;
    Handle* handle;
  };

  std::array<std::atomic<Chunk*>, kChunks> chunks_{};
  std::mutex mutex_;
  std::string device_link_;  // what /proc/self/fd says of the device's descriptors
  Handle device_;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::vector<Corpse> corpses_;
  std::vector<Handle*> unnumbered_;  // no known number, but another reference (duplicate, mapping) may exist
};

}  // namespace mock::vm
