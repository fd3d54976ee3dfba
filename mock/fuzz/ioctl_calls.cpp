// Fuzzer: a program of system calls on a mock: every ioctl of the table on every kind of descriptor with structured and
// raw arguments, bad pointers, mmap, dup, close in between, KVM_RUN under a watchdog. Impossible: a crash, a hang, a
// leak (of memory: LeakSanitizer; of descriptors: counted here), state that is read and cannot be set again.
//
// Guest memory and output buffers belong to the caller, so a pointer in an argument may only lead into the arena, or to
// where nothing is: others would be the fuzzer writing to itself.
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "kvmapi/address.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/uapi/all.hpp"
#include "mock/fuzz/round_trip.hpp"
#include "mock/fuzz/watchdog.hpp"
#include "mock/mock.hpp"

namespace mock::fuzz {
namespace {

constexpr u64 kArenaBytes = 1 << 20, kArgumentBytes = 4096;
constexpr int kMaxCalls = 60, kMaxRuns = 6;
constexpr std::size_t kMaxDescriptors = 24;
constexpr u64 kUserEnd = 0x7ffffffff000;

enum class Step : u8 {
  table,
  raw,
  run,
  guest_code,
  slot,
  close,
  dup,
  map,
  unmap,
  open,
  round_trip,
  eventfd_like,
  kCount
};

struct Mapping {
  void* address;
  std::size_t bytes;
};

// 1 MiB between inaccessible pages.
u8* arena() {
  static u8* const memory = [] {
    void* const all = mmap(nullptr, kArenaBytes + 2 * kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::abort();
    u8* const inner = static_cast<u8*>(all) + kPageSize;
    if (mprotect(inner, kArenaBytes, PROT_READ | PROT_WRITE) != 0) std::abort();
    return inner;
  }();
  return memory;
}

// Where a pointer may lead: the arena (page-aligned or not), its inaccessible border, the end of the address space.
u64 harmless_pointer(u64 wish) {
  const u64 base = reinterpret_cast<u64>(arena());
  switch (wish & 7) {
    case 0:
      return 0;
    case 1:
      return base + kArenaBytes;
    case 2:
      return base + kArenaBytes - 4;
    case 3:
      return base + (wish >> 3) % kArenaBytes;
    case 4:
      return kUserEnd - kPageSize;
    default:
      return base + (wish >> 3) % (kArenaBytes / kPageSize) * kPageSize;
  }
}

bool may_be_pointer(u64 value) { return value >= 0x10000 && value < u64{1} << 48; }

int open_descriptors() {
  DIR* const folder = opendir("/proc/self/fd");
  if (!folder) return 0;
  int count = 0;
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

class Program {
 public:
  explicit Program(std::span<const u8> data) : data_(data) {
    const auto names = profile_names();
    mock_ = std::move(make_mock({.profile = std::string(names[take() % names.size()])}).backend);
    if (!mock_) std::abort();
  }

  void run() {
    open();
    if (!descriptors_.empty()) note(mock_->ioctl(descriptors_[0], number(Ioctl::CreateVm), 0));
    if (descriptors_.size() > 1) note(mock_->ioctl(descriptors_[1], number(Ioctl::CreateVcpu), 0));
    for (int i = 0; i < kMaxCalls && !data_.empty(); ++i)
      step(static_cast<Step>(take() % static_cast<u8>(Step::kCount)));
    for (const Mapping& mapping : mappings_) (void)mock_->munmap(mapping.address, mapping.bytes);
    for (int fd : descriptors_) (void)mock_->close(fd);
  }

 private:
  u8 take() {
    if (data_.empty()) return 0;
    const u8 byte = data_[0];
    data_ = data_.subspan(1);
    return byte;
  }
  u64 take_word() {
    u64 word = 0;
    const std::size_t n = std::min<std::size_t>(sizeof word, data_.size());
    if (n) std::memcpy(&word, data_.data(), n);
    data_ = data_.subspan(n);
    return word;
  }
  int descriptor() { return descriptors_.empty() ? -1 : descriptors_[take() % descriptors_.size()]; }
  // A descriptor that a call returned.
  void note(Result<int> result) {
    if (!result || *result < 3) return;
    if (descriptors_.size() < kMaxDescriptors)
      descriptors_.push_back(*result);
    else
      (void)mock_->close(*result);
  }

  void step(Step step) {
    switch (step) {
      case Step::table:
      case Step::eventfd_like:
        return call_row();
      case Step::raw:
        return call_raw();
      case Step::run:
        return run_vcpu();
      case Step::guest_code:
        return write_guest_code();
      case Step::slot:
        return set_slot();
      case Step::close:
        return close();
      case Step::dup:
        return note(::dup(descriptor()));
      case Step::map:
        return map();
      case Step::unmap:
        return unmap();
      case Step::open:
        return open();
      case Step::round_trip: {
        const int fd = descriptor();
        return check_round_trips([&](u32 request, u64 argument) { return mock_->ioctl(fd, request, argument); });
      }
      case Step::kCount:
        return;
    }
  }

  void open() { note(mock_->open("/dev/kvm", O_RDWR | O_CLOEXEC)); }

  static bool returns_descriptor(const IoctlInfo& row) { return row.returns.find("fd") != std::string_view::npos; }

  // Fills an argument of the row's size, and a list behind it, from the input; repeats the input where it ends.
  u64 argument_of(const IoctlInfo& row) {
    const u8 kind = take();
    if (row.passing != Passing::Pointer) return kind < 200 ? kind : take_word();
    if (kind % 16 == 0) return harmless_pointer(take_word());
    // At the end of the arena: a read or write past the argument's end is a fault.
    const u64 bytes = kind % 2 ? row.argument_bytes : std::min<u64>(row.argument_bytes + take() * 8u, kArgumentBytes);
    u8* const argument = arena() + kArenaBytes - bytes;
    std::memset(argument, 0, bytes);
    const std::size_t given = std::min<std::size_t>({bytes, data_.size(), take()});
    std::memcpy(argument, data_.data(), given);
    data_ = data_.subspan(given);
    tame(row, argument, bytes);
    return reinterpret_cast<u64>(argument);
  }

  void tame(const IoctlInfo& row, u8* argument, u64 bytes) {
    for (u64 i = 0; i + 8 <= bytes; i += 8) {
      u64 word;
      std::memcpy(&word, argument + i, sizeof word);
      if (!may_be_pointer(word)) continue;
      word = harmless_pointer(word);
      std::memcpy(argument + i, &word, sizeof word);
    }
    // KVM_RUN must stay interruptible by the watchdog.
    if (row.id == Ioctl::SetSignalMask && bytes > 12)
      argument[4 + (Watchdog::kSignal - 1) / 8] &= static_cast<u8>(~(1u << (Watchdog::kSignal - 1) % 8));
  }

  void call_row() {
    static const auto rows = [] {
      std::vector<const IoctlInfo*> all;
      for (const IoctlInfo& row : ioctls())
        if (row.is_x86 && row.id != Ioctl::Run) all.push_back(&row);
      return all;
    }();
    const IoctlInfo& row = *rows[take() % rows.size()];
    const int fd = descriptor();
    const u64 argument = argument_of(row);
    const Result<int> result = mock_->ioctl(fd, row.number(), argument);
    if (returns_descriptor(row)) note(result);
  }

  void call_raw() {
    const int fd = descriptor();
    const u64 word = take_word();
    const auto request = static_cast<u32>(word);
    if (request == number(Ioctl::Run)) return;
    if (const IoctlInfo* row = find_ioctl(request); row && row->id == Ioctl::SetSignalMask) return;
    const u64 argument = harmless_pointer(word >> 32);
    if (const IoctlInfo* row = find_ioctl(request); row && returns_descriptor(*row)) return;
    (void)mock_->ioctl(fd, request, argument);
  }

  void run_vcpu() {
    static const Watchdog watchdog(3);
    if (++runs_ > kMaxRuns) return;
    const int fd = descriptor();
    watchdog.start();
    (void)mock_->ioctl(fd, number(Ioctl::Run), 0);
    watchdog.stop();
  }

  // At the reset vector's page, at 0 and in the middle of the arena.
  void write_guest_code() {
    static constexpr u64 kPlaces[] = {0, 0xff0, 0x1000, 0xf000, 0xfff0, 0x80000};
    const u64 place = kPlaces[take() % std::size(kPlaces)];
    const std::size_t given = std::min<std::size_t>(take(), data_.size());
    std::memcpy(arena() + place, data_.data(), given);
    data_ = data_.subspan(given);
  }

  // The whole arena, or a part of it, at guest address 0 or below 4 GiB where a CPU starts.
  void set_slot() {
    const u8 choice = take();
    kvm_userspace_memory_region region{};
    region.slot = choice & 3;
    region.flags = choice >> 2 & 3;
    region.guest_phys_addr = choice & 16 ? 0xffff0000 : u64{choice & 0xe0u} << 11;
    region.memory_size = choice & 32 ? 0x10000 : kArenaBytes / 2;
    region.userspace_addr = reinterpret_cast<u64>(arena()) + (choice & 64 ? kPageSize : 0);
    (void)mock_->ioctl(descriptor(), number(Ioctl::SetUserMemoryRegion), reinterpret_cast<u64>(&region));
  }

  void close() {
    if (descriptors_.empty()) return;
    const std::size_t which = take() % descriptors_.size();
    (void)mock_->close(descriptors_[which]);
    descriptors_.erase(descriptors_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void map() {
    static constexpr off_t kOffsets[] = {0, 4096, 8192, 64 * 4096, 1 << 20, 123};
    static constexpr int kProtections[] = {PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC};
    const int fd = descriptor();
    const std::size_t bytes = take() % 8 * kPageSize + (take() & 1);
    const u8 how = take();
    const auto mapped = mock_->mmap(nullptr, bytes, kProtections[how & 3], how & 4 ? MAP_PRIVATE : MAP_SHARED, fd,
                                    kOffsets[(how >> 3) % std::size(kOffsets)]);
    if (!mapped) return;
    mappings_.push_back({*mapped, bytes});
    // The caller may write anything into kvm_run.
    if ((how & 7) == 0 && bytes >= kPageSize) {
      const std::size_t given = std::min<std::size_t>({take() * 2u, data_.size(), kPageSize});
      std::memcpy(*mapped, data_.data(), given);
      data_ = data_.subspan(given);
    }
  }

  void unmap() {
    if (mappings_.empty()) return;
    (void)mock_->munmap(mappings_.back().address, mappings_.back().bytes);
    mappings_.pop_back();
  }

  std::span<const u8> data_;
  std::unique_ptr<Backend> mock_;
  std::vector<int> descriptors_;
  std::vector<Mapping> mappings_;
  int runs_ = 0;
};

}  // namespace
}  // namespace mock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const mock::fuzz::u8* data, std::size_t size) {
  using namespace mock::fuzz;
  const int before = open_descriptors();
  {
    Program program({data, size});
    program.run();
  }
  const int after = open_descriptors();
  if (after != before) {
    std::fprintf(stderr, "impossible: %d descriptors before, %d after\n", before, after);
    std::abort();
  }
  return 0;
}
