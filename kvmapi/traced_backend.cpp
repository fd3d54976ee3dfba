#include "kvmapi/traced_backend.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <thread>
#include <utility>

#include "kvmapi/exit.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/layout.hpp"
#include "kvmapi/read_memory.hpp"

namespace kvmapi {
namespace {

// Everything of kvm_run before the sync registers.
constexpr std::size_t kRunHeadBytes = offsetof(kvm_run, s);
static_assert(kRunHeadBytes <= CallRecord::kMaxDataBytes);
// Descriptors beyond this are passed through without being known by kind.
constexpr int kTrackedFds = 1024;

u64 thread_id() {
  thread_local const u64 id = static_cast<u64>(::syscall(SYS_gettid));
  return id;
}

// How much to copy behind an ioctl's pointer: the fixed part and, for a header, its list.
struct CapturePlan {
  u32 bytes = 0;
  u32 list_step = 0;  // 0: no list
  u32 count_offset = 0, count_bytes = 0;
};

CapturePlan make_plan(const IoctlInfo& row) {
  CapturePlan plan;
  if (row.passing != Passing::Pointer) return plan;
  plan.bytes = std::min<u32>(row.argument_bytes, CallRecord::kMaxDataBytes);
  const StructLayout* layout = find_layout(row.argument);
  if (layout == nullptr || layout->list == nullptr) return plan;
  const LayoutField* count = layout->field(layout->list->count_field);
  if (count == nullptr) return plan;
  plan.list_step = element_bytes(layout->list->type, layout->list->type_name);
  plan.count_offset = count->offset;
  plan.count_bytes = count->bytes;
  return plan;
}

const CapturePlan& plan_of(const IoctlInfo& row) {
  static const std::vector<CapturePlan> plans = [] {
    std::vector<CapturePlan> all;
    for (const IoctlInfo& each : ioctls()) all.push_back(make_plan(each));
    return all;
  }();
  return plans[static_cast<std::size_t>(&row - ioctls().data())];
}

}  // namespace

// One call of the ring. `is_busy` is held while the call is written or copied out.
struct TracedBackend::Slot {
  std::atomic_flag is_busy;
  CallRecord call;  // sequence 0: empty

  void lock() {
    while (is_busy.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { is_busy.clear(std::memory_order_release); }
};

// What is known about descriptors.
struct TracedBackend::Tracked {
  struct Entry {
    std::atomic<u8> kind{0};
    std::atomic<const std::byte*> page{nullptr};
    std::atomic<std::size_t> page_bytes{0};
  };
  std::array<Entry, kTrackedFds> fds;

  Entry* find(int fd) { return fd >= 0 && fd < kTrackedFds ? &fds[static_cast<std::size_t>(fd)] : nullptr; }
};

TracedBackend::TracedBackend(Backend& inner, Options options)
    : inner_(inner), options_(std::move(options)), tracked_(std::make_unique<Tracked>()) {
  options_.ring_calls = std::max<std::size_t>(options_.ring_calls, 1);
  ring_ = std::make_unique<Slot[]>(options_.ring_calls);
}

TracedBackend::~TracedBackend() = default;

FdKind TracedBackend::kind_of(int fd) const {
  auto* entry = tracked_->find(fd);
  return entry == nullptr ? FdKind{} : static_cast<FdKind>(entry->kind.load(std::memory_order_relaxed));
}

const std::byte* TracedBackend::page_of(int fd, std::size_t& bytes) const {
  auto* entry = tracked_->find(fd);
  if (entry == nullptr) return nullptr;
  const std::byte* page = entry->page.load(std::memory_order_acquire);
  bytes = entry->page_bytes.load(std::memory_order_relaxed);
  return page;
}

void TracedBackend::learn(int fd, FdKind kind) {
  if (auto* entry = tracked_->find(fd)) {
    entry->kind.store(static_cast<u8>(kind), std::memory_order_relaxed);
    entry->page.store(nullptr, std::memory_order_release);
  }
}

void TracedBackend::learn_new_fd(u32 request, u64 arg, int result) {
  switch (static_cast<Ioctl>(request)) {
    case Ioctl::CreateVm:
      return learn(result, FdKind::Vm);
    case Ioctl::CreateVcpu:
      return learn(result, FdKind::Vcpu);
    case Ioctl::GetStatsFd:
      return learn(result, FdKind::Stats);
    case Ioctl::CreateGuestMemfd:
      return learn(result, FdKind::GuestMemfd);
    case Ioctl::CreateDevice: {
      kvm_create_device device{};
      if (read_memory(arg, std::as_writable_bytes(std::span(&device, 1))) != sizeof device) return;
      if ((device.flags & kCreateDeviceTest) == 0) learn(static_cast<int>(device.fd), FdKind::Device);
      return;
    }
    default:
      return;
  }
}

void TracedBackend::capture_argument(CallRecord& call) const {
  const IoctlInfo* row = call.kind == FdKind{} ? nullptr : find_ioctl(call.kind, call.request);
  if (row == nullptr) row = find_ioctl(call.request);
  if (row == nullptr || row->passing != Passing::Pointer || call.arg == 0) return;
  const CapturePlan& plan = plan_of(*row);
  const std::span data(call.data);
  std::size_t bytes = read_memory(call.arg, data.first(plan.bytes));
  const bool is_whole = bytes == plan.bytes && plan.bytes > 0;
  if (is_whole && plan.list_step != 0) {
    u64 count = 0;
    std::memcpy(&count, call.data.data() + plan.count_offset, plan.count_bytes);
    const std::size_t room = (CallRecord::kMaxDataBytes - bytes) / plan.list_step;
    bytes += read_memory(call.arg + bytes, data.subspan(bytes, std::min<u64>(count, room) * plan.list_step));
  }
  call.data_state = is_whole ? CallRecord::Data::Complete : CallRecord::Data::Unreadable;
  call.data_bytes = static_cast<u16>(bytes);
}

void TracedBackend::capture_run(CallRecord& call) const {
  std::size_t mapped = 0;
  const std::byte* page = page_of(call.fd, mapped);
  if (page == nullptr || mapped < sizeof(kvm_run)) return;
  std::memcpy(call.data.data(), page, kRunHeadBytes);
  call.data_bytes = kRunHeadBytes;
  call.data_state = CallRecord::Data::Complete;
  u32 reason = 0;
  std::memcpy(&reason, page + offsetof(kvm_run, exit_reason), sizeof reason);
  if (reason != static_cast<u32>(Exit::Io) || call.result < 0) return;
  kvm_exit_io io;
  std::memcpy(&io, page + offsetof(kvm_run, exit), sizeof io);
  const u64 bytes = std::min<u64>(u64{io.size} * io.count, call.pio.size());
  if (io.data_offset >= mapped || bytes > mapped - io.data_offset) return;
  std::memcpy(call.pio.data(), page + io.data_offset, bytes);
  call.pio_bytes = static_cast<u8>(bytes);
}

template <class Fill>
void TracedBackend::record(Fill fill) {
  const u64 sequence = next_.fetch_add(1, std::memory_order_relaxed) + 1;
  Slot& slot = ring_[sequence % options_.ring_calls];
  {
    const std::scoped_lock lock(slot);
    CallRecord& call = slot.call;
    call.sequence = sequence;
    call.thread = thread_id();
    call.kind = FdKind{};
    call.data_state = CallRecord::Data::None;
    call.pio_bytes = 0;
    call.data_bytes = 0;
    call.fd = -1;
    call.request = 0;
    call.arg = call.length = 0;
    fill(call);
  }
  if (options_.sink) tell_sink(slot, sequence);
}

void TracedBackend::tell_sink(Slot& slot, u64 sequence) {
  CallRecord call;
  {
    const std::scoped_lock lock(slot);
    call = slot.call;
  }
  if (call.sequence != sequence) return;  // other threads filled the whole ring meanwhile
  const std::scoped_lock lock(sink_mutex_);
  options_.sink(call);
}

namespace {

void set_result(CallRecord& call, bool is_ok, s64 value, Errno error) {
  call.result = is_ok ? value : -1;
  call.error = is_ok ? Errno{} : error;
}

}  // namespace

Result<int> TracedBackend::open(const char* path, int flags) {
  const Result<int> result = inner_.open(path, flags);
  if (result.ok()) learn(*result, FdKind::System);
  record([&](CallRecord& call) {
    call.op = CallRecord::Op::Open;
    call.request = static_cast<u32>(flags);
    set_result(call, result.ok(), *result, result.error());
    if (result.ok()) {
      call.fd = *result;
      call.kind = FdKind::System;
    }
    const std::size_t readable = read_memory(reinterpret_cast<u64>(path), std::span(call.data).first(64));
    call.data_bytes = static_cast<u16>(::strnlen(reinterpret_cast<const char*>(call.data.data()), readable));
  });
  return result;
}

Result<int> TracedBackend::ioctl(int fd, u32 request, u64 arg) {
  const Result<int> result = inner_.ioctl(fd, request, arg);
  if (result.ok() && request != number(Ioctl::Run)) learn_new_fd(request, arg, *result);
  record([&](CallRecord& call) {
    call.op = CallRecord::Op::Ioctl;
    call.kind = kind_of(fd);
    call.fd = fd;
    call.request = request;
    call.arg = arg;
    set_result(call, result.ok(), *result, result.error());
    if (!options_.captures_arguments) return;
    if (request == number(Ioctl::Run)) {
      capture_run(call);
    } else {
      capture_argument(call);
    }
  });
  return result;
}

Result<void*> TracedBackend::mmap(void* address, std::size_t length_bytes, int prot, int flags, int fd,
                                  off_t offset_bytes) {
  const Result<void*> result = inner_.mmap(address, length_bytes, prot, flags, fd, offset_bytes);
  auto* entry = tracked_->find(fd);
  const bool is_readable = (prot & 1 /* PROT_READ */) != 0;
  if (result.ok() && entry != nullptr && offset_bytes == 0 && is_readable && kind_of(fd) == FdKind::Vcpu) {
    entry->page_bytes.store(length_bytes, std::memory_order_relaxed);
    entry->page.store(static_cast<const std::byte*>(*result), std::memory_order_release);
  }
  record([&](CallRecord& call) {
    call.op = CallRecord::Op::Mmap;
    call.kind = kind_of(fd);
    call.fd = fd;
    call.arg = reinterpret_cast<u64>(address);
    call.length = length_bytes;
    set_result(call, result.ok(), reinterpret_cast<s64>(*result), result.error());
  });
  return result;
}

Result<void> TracedBackend::munmap(void* address, std::size_t length_bytes) {
  const auto* first = static_cast<const std::byte*>(address);
  for (auto& entry : tracked_->fds) {
    const std::byte* page = entry.page.load(std::memory_order_relaxed);
    if (page != nullptr && first <= page && page < first + length_bytes)
      entry.page.store(nullptr, std::memory_order_release);
  }
  const Result<void> result = inner_.munmap(address, length_bytes);
  record([&](CallRecord& call) {
    call.op = CallRecord::Op::Munmap;
    call.arg = reinterpret_cast<u64>(address);
    call.length = length_bytes;
    set_result(call, result.ok(), 0, result.error());
  });
  return result;
}

Result<void> TracedBackend::close(int fd) {
  const FdKind kind = kind_of(fd);
  learn(fd, FdKind{});
  const Result<void> result = inner_.close(fd);
  record([&](CallRecord& call) {
    call.op = CallRecord::Op::Close;
    call.kind = kind;
    call.fd = fd;
    set_result(call, result.ok(), 0, result.error());
  });
  return result;
}

std::vector<CallRecord> TracedBackend::last_calls() const {
  std::vector<CallRecord> calls;
  for (std::size_t i = 0; i < options_.ring_calls; ++i) {
    const std::scoped_lock lock(ring_[i]);
    if (ring_[i].call.sequence != 0) calls.push_back(ring_[i].call);
  }
  std::ranges::sort(calls, {}, &CallRecord::sequence);
  return calls;
}

std::string TracedBackend::last_calls_text(std::size_t count) const {
  const std::vector<CallRecord> calls = last_calls();
  std::string text;
  for (std::size_t i = calls.size() - std::min(count, calls.size()); i < calls.size(); ++i) {
    text += to_text(calls[i]) + '\n';
  }
  return text;
}

void TracedBackend::forget_calls() {
  for (std::size_t i = 0; i < options_.ring_calls; ++i) {
    const std::scoped_lock lock(ring_[i]);
    ring_[i].call.sequence = 0;
  }
}

}  // namespace kvmapi
