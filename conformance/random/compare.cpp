// See compare.hpp.
#include "conformance/random/compare.hpp"

#include <fmt/format.h>

#include <cstring>

#include "kvmapi/errno.hpp"

namespace conformance::random {

using kvmapi::Exit;

namespace {

class Comparison {
 public:
  std::vector<FieldDifference> found;

  template <class T>
  void value(const char* path, T a, T b) {
    if (a != b) found.push_back({path, fmt::format("{:#x}", a), fmt::format("{:#x}", b)});
  }

  template <class T>
  void structure(const char* name, const T& a, const T& b) {
    if (std::memcmp(&a, &b, sizeof a) == 0) return;
    for (FieldDifference& d : kvmapi::differences(a, b)) {
      d.path = fmt::format("{}.{}", name, d.path);
      found.push_back(std::move(d));
    }
  }

  void bytes(const char* path, std::span<const u8> a, std::span<const u8> b) {
    if (std::memcmp(a.data(), b.data(), a.size()) != 0)
      found.push_back({path, fmt::format("{:02x}", fmt::join(a, " ")), fmt::format("{:02x}", fmt::join(b, " "))});
  }

  void payload(const Snapshot& a, const Snapshot& b);
  void memory(std::span<const u8> a, std::span<const u8> b);
};

void Comparison::payload(const Snapshot& a, const Snapshot& b) {
  const auto both = [&](auto payload, const auto& compare) {
    using T = decltype(payload);
    compare(a.run.exit.as<T>(), b.run.exit.as<T>());
  };
  switch (a.reason()) {
    case Exit::Io:
      both(kvmapi::kvm_exit_io{}, [&](const auto& x, const auto& y) {
        value("io.direction", x.direction, y.direction);
        value("io.size", x.size, y.size);
        value("io.port", x.port, y.port);
        value("io.count", x.count, y.count);
        if (x.direction && found.empty())
          bytes("io.data", std::span(a.io_data).first(std::min<u64>(64, u64{x.size} * x.count)), b.io_data);
      });
      break;
    case Exit::Mmio:
      both(kvmapi::kvm_exit_mmio{}, [&](const auto& x, const auto& y) {
        value("mmio.phys_addr", x.phys_addr, y.phys_addr);
        value("mmio.len", x.len, y.len);
        value("mmio.is_write", x.is_write, y.is_write);
        if (x.is_write && x.len <= 8 && found.empty()) bytes("mmio.data", std::span(x.data).first(x.len), y.data);
      });
      break;
    case Exit::Debug:
      both(kvmapi::kvm_exit_debug{}, [&](auto x, auto y) {
        x.arch.pad = y.arch.pad = 0;
        structure("debug", x.arch, y.arch);
      });
      break;
    case Exit::FailEntry:
      both(kvmapi::kvm_exit_fail_entry{}, [&](const auto& x, const auto& y) {
        value("fail_entry.reason", x.hardware_entry_failure_reason, y.hardware_entry_failure_reason);
      });
      break;
    case Exit::InternalError:
      both(kvmapi::kvm_exit_internal{},
           [&](const auto& x, const auto& y) { value("internal.suberror", x.suberror, y.suberror); });
      break;
    default:
      break;
  }
}

void Comparison::memory(std::span<const u8> a, std::span<const u8> b) {
  if (std::memcmp(a.data(), b.data(), a.size()) == 0) return;
  unsigned shown = 0;
  for (std::size_t at = 0; at < a.size() && shown < 8; at += 8) {
    if (std::memcmp(&a[at], &b[at], 8) == 0) continue;
    ++shown;
    found.push_back({fmt::format("memory[{:#x}]", at), fmt::format("{:02x}", fmt::join(a.subspan(at, 8), " ")),
                     fmt::format("{:02x}", fmt::join(b.subspan(at, 8), " "))});
  }
}

// The vector of an exception that is neither pending nor injected is whatever came last.
kvmapi::kvm_vcpu_events defined(kvmapi::kvm_vcpu_events events) {
  if (!events.exception.injected && !events.exception.pending) events.exception = {};
  if (!events.interrupt.injected) events.interrupt.nr = events.interrupt.soft = 0;
  return events;
}

}  // namespace

std::vector<FieldDifference> compare(const Snapshot& a, const Snapshot& b, std::span<const u8> memory_a,
                                     std::span<const u8> memory_b) {
  Comparison c;
  if (a.error != b.error) {
    c.found.push_back(
        {"errno", std::string(kvmapi::Errno{a.error}.name()), std::string(kvmapi::Errno{b.error}.name())});
  } else if (a.error == 0 && a.run.exit_reason != b.run.exit_reason) {
    c.found.push_back({"exit_reason", std::string(c_name(a.reason())), std::string(c_name(b.reason()))});
  } else if (a.error == 0) {
    c.payload(a, b);
  }
  c.structure("regs", a.regs, b.regs);
  c.structure("sregs", a.sregs, b.sregs);
  c.structure("events", defined(a.events), defined(b.events));
  c.value("run.if_flag", a.run.if_flag, b.run.if_flag);
  c.value("run.ready_for_interrupt_injection", a.run.ready_for_interrupt_injection,
          b.run.ready_for_interrupt_injection);
  c.value("run.flags", a.run.flags, b.run.flags);
  c.value("run.cr8", a.run.cr8, b.run.cr8);
  c.structure("fpu", a.fpu, b.fpu);
  c.value("mxcsr", a.mxcsr, b.mxcsr);
  c.structure("debugregs", a.debug, b.debug);
  c.memory(memory_a, memory_b);
  return std::move(c.found);
}

std::string describe_exit(const Snapshot& s) {
  if (s.error) return std::string(kvmapi::Errno{s.error}.name());
  const u64 at = s.sregs.cs.base + s.regs.rip - 1;
  if (s.reason() == Exit::Hlt && at >= kHandlers && at < kHandlers + 0x800)
    return fmt::format("KVM_EXIT_HLT in the handler of vector {}", (at - kHandlers) / 8);
  if (s.reason() == Exit::Mmio) {
    const auto mmio = s.run.exit.as<kvmapi::kvm_exit_mmio>();
    return fmt::format("KVM_EXIT_MMIO {} {:#x}+{} at {:#x}", mmio.is_write ? "write" : "read", mmio.phys_addr, mmio.len,
                       s.regs.rip);
  }
  return fmt::format("{} at {:#x}", c_name(s.reason()), s.regs.rip);
}

}  // namespace conformance::random
