// GuestCase: loading a guest, running it from exit to exit, comparing. See guest_case.hpp.
#include "conformance/support/guest_case.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstring>

#include "conformance/support/deadline.hpp"
#include "conformance/support/disassembly.hpp"
#include "conformance/support/failures.hpp"
#include "guests/layout.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_regs;
using kvmapi::u64;
using kvmapi::u8;

// A guest of a row runs for microseconds; under emulation for milliseconds.
constexpr int kRunSeconds = 10;

struct RegisterName {
  const char* name;
  Value Registers::*wanted;
  u64 kvm_regs::*actual;
};
constexpr RegisterName kRegisterNames[] = {
    {"rax", &Registers::rax, &kvm_regs::rax}, {"rbx", &Registers::rbx, &kvm_regs::rbx},
    {"rcx", &Registers::rcx, &kvm_regs::rcx}, {"rdx", &Registers::rdx, &kvm_regs::rdx},
    {"rsi", &Registers::rsi, &kvm_regs::rsi}, {"rdi", &Registers::rdi, &kvm_regs::rdi},
    {"rsp", &Registers::rsp, &kvm_regs::rsp}, {"rbp", &Registers::rbp, &kvm_regs::rbp},
    {"r8", &Registers::r8, &kvm_regs::r8},    {"r9", &Registers::r9, &kvm_regs::r9},
    {"r10", &Registers::r10, &kvm_regs::r10}, {"r11", &Registers::r11, &kvm_regs::r11},
    {"r12", &Registers::r12, &kvm_regs::r12}, {"r13", &Registers::r13, &kvm_regs::r13},
    {"r14", &Registers::r14, &kvm_regs::r14}, {"r15", &Registers::r15, &kvm_regs::r15},
    {"rip", &Registers::rip, &kvm_regs::rip}, {"rflags", &Registers::rflags, &kvm_regs::rflags},
};

// The exit that happened, in the words of ExitStep.
ExitStep observed(const Machine& m) {
  const kvmapi::kvm_run& run = m.page();
  ExitStep step{.reason = static_cast<kvmapi::Exit>(run.exit_reason)};
  const auto keep = [&step](const u8* data, std::size_t bytes) {
    step.data.count = static_cast<unsigned>(std::min(bytes, step.data.bytes.size()));
    std::memcpy(step.data.bytes.data(), data, step.data.count);
  };
  if (step.reason == kvmapi::Exit::Io) {
    const auto io = run.exit.as<kvmapi::kvm_exit_io>();
    step.is_write = io.direction == 1;
    step.address = io.port;
    step.size = io.size;
    step.count = io.count;
    if (step.is_write) keep(reinterpret_cast<const u8*>(&run) + io.data_offset, std::size_t{io.size} * io.count);
  } else if (step.reason == kvmapi::Exit::Mmio) {
    const auto mmio = run.exit.as<kvmapi::kvm_exit_mmio>();
    step.is_write = mmio.is_write != 0;
    step.address = mmio.phys_addr;
    step.size = mmio.len;
    if (step.is_write) keep(mmio.data.data(), std::min<std::size_t>(mmio.len, 8));
  } else if (step.reason == kvmapi::Exit::InternalError) {
    step.suberror = run.exit.as<kvmapi::kvm_exit_internal>().suberror;
  }
  return step;
}

bool is_same(const ExitStep& expected, const ExitStep& got) {
  if (expected.reason != got.reason) return false;
  if (expected.reason == kvmapi::Exit::InternalError) return expected.suberror == got.suberror;
  if (expected.is_write != got.is_write || expected.address != got.address || expected.size != got.size ||
      expected.count != got.count) {
    return false;
  }
  return !expected.is_write || (expected.data.count == got.data.count && expected.data.bytes == got.data.bytes);
}

void supply(const Machine& m, const ExitStep& step) {
  kvmapi::kvm_run& run = m.page();
  if (step.is_write) return;
  if (step.reason == kvmapi::Exit::Io) {
    const auto io = run.exit.as<kvmapi::kvm_exit_io>();
    std::memcpy(reinterpret_cast<u8*>(&run) + io.data_offset, step.data.bytes.data(), step.data.count);
  } else if (step.reason == kvmapi::Exit::Mmio) {
    auto mmio = run.exit.as<kvmapi::kvm_exit_mmio>();
    std::memcpy(mmio.data.data(), step.data.bytes.data(), std::min<std::size_t>(step.data.count, 8));
    run.exit.set(mmio);
  }
}

void compare_registers(const Machine& m, const Registers& wanted, const char* file, int line) {
  const kvm_regs regs = m.regs();
  std::string differences;
  for (const RegisterName& r : kRegisterNames) {
    const Value& want = wanted.*r.wanted;
    if (want.is_set && want.value != regs.*r.actual) {
      differences += fmt::format("\n  {:<6} expected {:#x}, got {:#x}", r.name, want.value, regs.*r.actual);
    }
  }
  if (!differences.empty()) ADD_FAILURE_AT(file, line) << "registers at the end differ:" << differences;
}

void run_row(const GuestCase& row, Mode mode, Ctx& t) {
  const char* const file = row.name.file;
  Machine m(t, row.guest, mode, row.start);
  if (row.prepare) row.prepare.function(m);
  int number = 0;
  for (const ExitStep& step : row.exits.span()) {
    const testing::ScopedTrace trace(file, row.name.line,
                                     fmt::format("exit {} of {}", ++number, row.exits.span().size()));
    if (!run_to_exit(m, step, file, row.name.line)) return;
  }
  compare_registers(m, row.finish, file, row.name.line);
  if (row.check) row.check.function(m);
}

std::string describe(const GuestCase& row, Mode mode) {
  const unsigned bits = guests::word_bytes(mode) * 8;
  std::string text = fmt::format("guest {} in mode {}:\n", guests::name(row.guest), guests::name(mode));
  text += disassemble(guests::code(row.guest, mode), guests::kLoad, bits);
  text += "makes these exits:";
  for (const ExitStep& step : row.exits.span()) text += "\n  " + conformance::text(step);
  std::string finish;
  for (const RegisterName& r : kRegisterNames) {
    const Value& want = row.finish.*r.wanted;
    if (want.is_set) finish += fmt::format(" {}={:#x}", r.name, want.value);
  }
  if (!finish.empty()) text += "\nand ends with" + finish;
  return text;
}

}  // namespace

namespace {

// The instructions from RIP on, as long as code and RAM are the same for all that one can tell from outside: in flat
// segments.
std::string code_at_rip(Machine& m) {
  constexpr std::size_t kShownBytes = 12;
  const auto regs = m.vcpu().get_regs();
  const auto sregs = m.vcpu().get_sregs();
  if (!regs.ok() || !sregs.ok()) return "";
  const u64 address = sregs->cs.base + regs->rip;
  if (address >= m.ram().size() || m.ram().size() - address < kShownBytes) {
    return fmt::format("\ncode at RIP {:#x}: outside RAM", regs->rip);
  }
  const unsigned bits = sregs->cs.l != 0 ? 64 : sregs->cs.db != 0 ? 32 : 16;
  std::string text = disassemble(m.ram().subspan(address, kShownBytes), regs->rip, bits);
  text.pop_back();
  return "\ncode at RIP:\n" + text;
}

}  // namespace

bool run_to_exit(Machine& m, const ExitStep& expected, const char* file, int line) {
  const Deadline deadline(kRunSeconds);
  const Answer answer(m.run());
  if (deadline.is_over()) {
    ADD_FAILURE_AT(file, line) << "KVM_RUN did not return within " << kRunSeconds << " s\nexpected: " << text(expected);
    return false;
  }
  if (answer.error != expected.error) {
    ADD_FAILURE_AT(file, line) << "KVM_RUN answered " << answer.text() << "\nexpected: " << text(expected)
                               << (answer.error == 0 ? "\n     got: " + text(observed(m)) : "");
    return false;
  }
  if (answer.error == 0) {
    const ExitStep got = observed(m);
    if (!is_same(expected, got)) {
      ADD_FAILURE_AT(file, line) << "expected: " << text(expected) << "\n     got: " << text(got) << code_at_rip(m);
      return false;
    }
  }
  if (expected.mark != nullptr || expected.rip.is_set) {
    const u64 wanted = expected.mark != nullptr ? m.at(expected.mark) : expected.rip.value;
    const u64 rip = m.regs().rip;
    if (rip != wanted) {
      ADD_FAILURE_AT(file, line) << "RIP at the exit " << text(expected)
                                 << fmt::format(": expected {:#x}, got {:#x}", wanted, rip) << code_at_rip(m);
      return false;
    }
  }
  if (answer.error == 0) supply(m, expected);
  if (expected.action) expected.action.function(m);
  return !failed_so_far();
}

std::string text(const ExitStep& step) {
  if (step.error != 0) return "-1 " + std::string(kvmapi::Errno{step.error}.name());
  std::string text(c_name(step.reason));
  if (step.reason == kvmapi::Exit::Io) {
    text += fmt::format(" {} port {:#x} size {} count {}", step.is_write ? "out" : "in", step.address, step.size,
                        step.count);
  } else if (step.reason == kvmapi::Exit::Mmio) {
    text += fmt::format(" {} {:#x} len {}", step.is_write ? "write" : "read", step.address, step.size);
  } else if (step.reason == kvmapi::Exit::InternalError) {
    text += fmt::format(" suberror {}", step.suberror);
  }
  if (step.data.count != 0) text += fmt::format(" data {:02x}", fmt::join(step.data.span(), " "));
  if (step.mark != nullptr) text += fmt::format(" with RIP at {}", step.mark);
  if (step.rip.is_set) text += fmt::format(" with RIP {:#x}", step.rip.value);
  return text;
}

void add_rows(Registry& registry, const char* suite, const char* source, std::span<const GuestCase> rows) {
  for (const GuestCase& row : rows) {
    for (Mode mode : guests::kEveryMode) {
      if (!row.modes.has(mode) || !guests::exists(row.guest, mode)) continue;
      registry.add(Test{.id = fmt::format("{}.{}.{}", suite, row.name.text, guests::name(mode)),
                        .source = row.source != nullptr ? row.source : source,
                        .status = row.status,
                        .needs = row.needs,
                        .file = row.name.file,
                        .line = row.name.line,
                        .body = [&row, mode](Ctx& t) { run_row(row, mode, t); },
                        .describe = [&row, mode] { return describe(row, mode); }});
    }
  }
}

}  // namespace conformance
