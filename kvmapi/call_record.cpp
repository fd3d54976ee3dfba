#include "kvmapi/call_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "kvmapi/exit.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/print.hpp"

namespace kvmapi {
namespace {

using Op = CallRecord::Op;

std::string fd_text(const CallRecord& call) {
  return call.kind == FdKind{} ? fmt::format("{}", call.fd) : fmt::format("{} {}", call.fd, name(call.kind));
}

const IoctlInfo* row_of(const CallRecord& call) {
  const IoctlInfo* row = call.kind == FdKind{} ? nullptr : find_ioctl(call.kind, call.request);
  return row != nullptr ? row : find_ioctl(call.request);
}

bool is_run(const CallRecord& call) { return call.op == Op::Ioctl && call.request == number(Ioctl::Run); }

std::string_view path_of(const CallRecord& call) {
  return {reinterpret_cast<const char*>(call.data.data()), call.data_bytes};
}

std::string open_flags_text(u32 flags) {
  std::string text = (flags & O_ACCMODE) == O_RDWR     ? "O_RDWR"
                     : (flags & O_ACCMODE) == O_WRONLY ? "O_WRONLY"
                                                       : "O_RDONLY";
  if ((flags & O_CLOEXEC) != 0) text += "|O_CLOEXEC";
  const u32 rest = flags & ~static_cast<u32>(O_ACCMODE | O_CLOEXEC);
  return rest == 0 ? text : fmt::format("{}|0x{:x}", text, rest);
}

std::string u64_text(std::span<const std::byte> bytes) {
  u64 value = 0;
  std::copy_n(bytes.begin(), std::min<std::size_t>(8, bytes.size()), reinterpret_cast<std::byte*>(&value));
  return fmt::format("[0x{:x}]", value);
}

std::string immediate_text(const IoctlInfo& row, u64 arg) {
  if (row.id == Ioctl::CheckExtension) {
    const CapInfo* cap = find_cap(static_cast<u32>(arg));
    if (cap != nullptr && arg <= 0xffffffff) return std::string(cap->c_name);
  }
  return arg < 4096 ? fmt::format("{}", arg) : fmt::format("0x{:x}", arg);
}

// ", {slot=0, ...}"; empty when the ioctl has no argument and none was given.
std::string argument_text(const CallRecord& call, const IoctlInfo& row) {
  if (row.passing == Passing::None) return call.arg == 0 ? "" : fmt::format(", 0x{:x}", call.arg);
  if (row.passing == Passing::Immediate) return ", " + immediate_text(row, call.arg);
  if (call.arg == 0) return ", NULL";
  if (call.data_state != CallRecord::Data::Complete) return fmt::format(", 0x{:x} (not readable)", call.arg);
  if (const StructLayout* layout = find_layout(row.argument)) return ", " + to_text(*layout, call.captured());
  return ", " + u64_text(call.captured());
}

std::string hex_bytes(std::span<const u8> bytes) {
  std::string text;
  for (const u8 b : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", b);
  return text;
}

const StructLayout& run_layout() { return layout_of<kvm_run>(); }

// " KVM_EXIT_IO {...} data=[61]". After an error the page may hold an older exit: only a memory fault is told then.
std::string exit_text(const CallRecord& call) {
  if (call.data_bytes < sizeof(kvm_run) - 2048) return {};
  kvm_run run{};
  std::copy_n(call.data.begin(), call.data_bytes, reinterpret_cast<std::byte*>(&run));
  const auto reason = static_cast<Exit>(run.exit_reason);
  if (call.result < 0 && reason != Exit::MemoryFault) return {};
  const ExitInfo* info = find_exit(run.exit_reason);
  std::string text = info != nullptr ? fmt::format(" {}", info->c_name) : fmt::format(" exit {}", run.exit_reason);
  if (info != nullptr && info->payload != "NoPayload") text += ' ' + field_text(run_layout(), "exit", call.captured());
  if (call.pio_bytes > 0) text += fmt::format(" data=[{}]", hex_bytes(std::span(call.pio).first(call.pio_bytes)));
  return text;
}

std::string result_text(const CallRecord& call) {
  if (call.result < 0) return fmt::format("-1 {}", call.error.name());
  if (call.op == Op::Mmap) return fmt::format("0x{:x}", static_cast<u64>(call.result));
  return fmt::format("{}", call.result);
}

std::string ioctl_text(const CallRecord& call) {
  const IoctlInfo* row = row_of(call);
  if (row == nullptr) {
    return fmt::format("ioctl({}, 0x{:08x}, 0x{:x}) = {} ({})", fd_text(call), call.request, call.arg,
                       result_text(call), explain_unknown(call.kind, call.request));
  }
  std::string text =
      fmt::format("ioctl({}, {}{}) = {}", fd_text(call), row->c_name, argument_text(call, *row), result_text(call));
  if (is_run(call)) text += exit_text(call);
  const bool is_refused = call.result < 0 && (call.error == Errno{ENOTTY} || call.error == Errno{EINVAL});
  if (is_refused && call.kind != FdKind{} && !row->fds.has(call.kind))
    text += fmt::format(" ({})", explain_unknown(call.kind, call.request));
  return text;
}

std::string_view op_name(Op op) {
  switch (op) {
    case Op::Open:
      return "open";
    case Op::Ioctl:
      return "ioctl";
    case Op::Mmap:
      return "mmap";
    case Op::Munmap:
      return "munmap";
    case Op::Close:
      return "close";
  }
  return "unknown call";
}

std::string argument_json(const CallRecord& call, const IoctlInfo& row) {
  if (row.passing == Passing::None) return "null";
  if (row.passing == Passing::Immediate) return json_text(immediate_text(row, call.arg));
  if (call.data_state != CallRecord::Data::Complete) return "null";
  if (const StructLayout* layout = find_layout(row.argument)) return to_json(*layout, call.captured());
  return json_text(u64_text(call.captured()));
}

std::string ioctl_json(const CallRecord& call) {
  const IoctlInfo* row = row_of(call);
  std::string text = fmt::format(R"(,"request":"0x{:08x}","arg":"0x{:x}")", call.request, call.arg);
  if (row == nullptr)
    return text + fmt::format(R"(,"ioctl":null,"note":{})", json_text(explain_unknown(call.kind, call.request)));
  text += fmt::format(R"(,"ioctl":"{}","argument":{})", row->c_name, argument_json(call, *row));
  if (is_run(call) && call.data_bytes > 0) text += fmt::format(R"(,"run":{})", to_json(run_layout(), call.captured()));
  if (call.pio_bytes > 0) text += fmt::format(R"(,"pio":"{}")", hex_bytes(std::span(call.pio).first(call.pio_bytes)));
  return text;
}

}  // namespace

std::string to_text(const CallRecord& call) {
  switch (call.op) {
    case Op::Open:
      return fmt::format("open(\"{}\", {}) = {}", path_of(call), open_flags_text(call.request), result_text(call));
    case Op::Ioctl:
      return ioctl_text(call);
    case Op::Mmap:
      return fmt::format("mmap({}, {} bytes) = {}", fd_text(call), call.length, result_text(call));
    case Op::Munmap:
      return fmt::format("munmap(0x{:x}, {} bytes) = {}", call.arg, call.length, result_text(call));
    case Op::Close:
      return fmt::format("close({}) = {}", fd_text(call), result_text(call));
  }
  return "unknown call";
}

std::string to_json(const CallRecord& call) {
  std::string text =
      fmt::format(R"({{"n":{},"thread":{},"call":"{}","fd":{})", call.sequence, call.thread, op_name(call.op), call.fd);
  if (call.kind != FdKind{}) text += fmt::format(R"(,"kind":"{}")", name(call.kind));
  if (call.op == Op::Open)
    text += fmt::format(R"(,"path":{},"flags":"{}")", json_text(path_of(call)), open_flags_text(call.request));
  if (call.op == Op::Ioctl) text += ioctl_json(call);
  if (call.op == Op::Mmap || call.op == Op::Munmap) text += fmt::format(R"(,"bytes":{})", call.length);
  text += fmt::format(R"(,"result":{})", call.result < 0 ? -1 : call.result);
  if (call.result < 0) text += fmt::format(R"(,"errno":"{}")", call.error.name());
  return text + '}';
}

}  // namespace kvmapi
