// From a descriptor number to the object behind it. Look-up takes a few nanoseconds and no lock: the entry of a number
// is never freed, and a user pins it while it works. Closing while another thread works defers the end to that thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "kvmapi/kinds.hpp"
#include "kvmapi/result.hpp"
#include "kvmapi/types.hpp"

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
  FdTable();
  ~FdTable();
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;

  struct Entry {
    std::atomic<Handle*> handle{nullptr};
    std::atomic<u32> pins{0};  // users; the top bit says that something waits for the last one
  };

  // A pinned look-up. `handle` is nullptr for a number that is none of ours.
  class Pin {
   public:
    Pin() = default;
    Pin(FdTable* table, Entry* entry, Handle* handle) : table_(table), entry_(entry), handle_(handle) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
      if (entry_ && (entry_->pins.fetch_sub(1, std::memory_order_acq_rel) & kWaiting)) table_->sweep();
    }
    Handle* operator->() const { return handle_; }
    explicit operator bool() const { return handle_ != nullptr; }
    Handle* get() const { return handle_; }

   private:
    FdTable* table_ = nullptr;
    Entry* entry_ = nullptr;
    Handle* handle_ = nullptr;
  };

  Pin pin(int fd) {
    if (Entry* entry = find(fd)) {
      entry->pins.fetch_add(1, std::memory_order_acq_rel);
      if (Handle* handle = entry->handle.load(std::memory_order_acquire)) return Pin(this, entry, handle);
      if (entry->pins.fetch_sub(1, std::memory_order_acq_rel) & kWaiting) sweep();
    }
    return pin_unknown(fd);
  }

  // Makes `fd` (a memfd of its own) a descriptor of `target`.
  void add(int fd, FdKind kind, std::shared_ptr<void> owner, void* target);
  // close(2): the object ends with the last descriptor, also one this table never saw. EBADF.
  Result<void> close(int fd);
  // A mapping of a vcpu went away, which may have been the last reference to it.
  void mapping_closed();

  // In a fork's child, where no other thread exists.
  void after_fork();

  static constexpr u32 kWaiting = 1u << 31;

 private:
  static constexpr int kChunkBits = 8, kChunks = 1 << 14;
  struct Chunk {
    Entry entries[1 << kChunkBits];
  };

  Entry* find(int fd) const {
    if (fd < 0 || (fd >> kChunkBits) >= kChunks) return nullptr;
    Chunk* chunk = chunks_[fd >> kChunkBits].load(std::memory_order_acquire);
    return chunk ? &chunk->entries[fd & ((1 << kChunkBits) - 1)] : nullptr;
  }
  Entry& make_entry(int fd);
  Pin pin_unknown(int fd);
  void sweep();
  void attach(int fd, Handle* handle);
  // Detaches the number; the handle is released when nobody works with it. The caller holds mutex_.
  void detach(Entry& entry);
  using Garbage = std::vector<std::shared_ptr<void>>;
  void collect(Garbage& garbage);

  struct Corpse {
    Entry* entry;
    Handle* handle;
  };

  std::unique_ptr<std::atomic<Chunk*>[]> chunks_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Handle>> handles_;
  std::vector<Corpse> corpses_;
  std::vector<Handle*> unnumbered_;  // no known number, but another reference (duplicate, mapping) may exist
};

}  // namespace mock::vm
