// GuestCase: loading a guest, running it from exit to exit, comparing. See guest_case.hpp.
#include "conformance/support/guest_case.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstring>

#include "conformance/support/ctx.hpp"
#include "guests/layout.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_regs;
using kvmapi::kvm_segment;
using kvmapi::u64;
using kvmapi::u8;

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

kvm_segment to_kvm(const guests::Segment& s) {
  return {.base = s.base,
          .limit = s.limit,
          .selector = s.selector,
          .type = s.type,
          .present = s.present,
          .dpl = s.dpl,
          .db = s.db,
          .s = s.s,
          .l = s.l,
          .g = s.g};
}

void set_system_registers(Ctx& t, Mode mode) {
  const guests::Cpu cpu = guests::start_cpu(mode);
  auto sregs = t.must(t.vcpu().get_sregs(), "KVM_GET_SREGS");
  sregs.cr0 = cpu.cr0;
  sregs.cr3 = cpu.cr3;
  sregs.cr4 = cpu.cr4;
  sregs.efer = cpu.efer;
  sregs.cs = to_kvm(cpu.cs);
  sregs.ds = to_kvm(cpu.ds);
  sregs.es = to_kvm(cpu.es);
  sregs.fs = to_kvm(cpu.fs);
  sregs.gs = to_kvm(cpu.gs);
  sregs.ss = to_kvm(cpu.ss);
  sregs.tr = to_kvm(cpu.tr);
  sregs.gdt.base = cpu.gdt_base;
  sregs.gdt.limit = cpu.gdt_limit;
  sregs.idt.base = cpu.idt_base;
  sregs.idt.limit = cpu.idt_limit;
  t.must(t.vcpu().set_sregs(sregs), "KVM_SET_SREGS");
}

void set_general_registers(Ctx& t, const Registers& start) {
  kvm_regs regs{};
  regs.rip = guests::kLoad;
  regs.rsp = guests::kStackTop;
  regs.rflags = 2;
  for (const RegisterName& r : kRegisterNames) {
    if ((start.*r.wanted).is_set) regs.*r.actual = (start.*r.wanted).value;
  }
  t.must(t.vcpu().set_regs(regs), "KVM_SET_REGS");
}

// The exit that happened, in the words of ExitStep.
ExitStep observed(Ctx& t) {
  const kvmapi::kvm_run& run = t.page();
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

void supply(Ctx& t, const ExitStep& step) {
  kvmapi::kvm_run& run = t.page();
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

void compare_registers(Ctx& t, const Registers& wanted, const char* file, int line) {
  const auto regs = t.must(t.vcpu().get_regs(), "KVM_GET_REGS");
  std::string differences;
  for (const RegisterName& r : kRegisterNames) {
    const Value& want = wanted.*r.wanted;
    if (want.is_set && want.value != regs.*r.actual) {
      differences += fmt::format("\n  {:<6} expected {:#x}, got {:#x}", r.name, want.value, regs.*r.actual);
    }
  }
  if (!differences.empty()) ADD_FAILURE_AT(file, line) << "registers at the end differ:" << differences;
}

void run_row(const GuestCase& row, Mode mode, const char* file, Ctx& t) {
  load_guest(t, row.guest, mode, row.start);
  if (row.prepare) row.prepare.function(t);
  for (const ExitStep& step : row.exits.span()) {
    if (!run_to_exit(t, step, file, row.name.line)) return;
  }
  compare_registers(t, row.finish, file, row.name.line);
  if (row.check) row.check.function(t);
}

std::string describe(const GuestCase& row, Mode mode) {
  std::string text = fmt::format("guest {} in mode {} makes these exits:", guests::name(row.guest), guests::name(mode));
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

void load_guest(Ctx& t, Guest guest, Mode mode, const Registers& start) {
  const auto code = guests::code(guest, mode);
  if (code.empty()) t.broken(fmt::format("guest {} has no code for mode {}", guests::name(guest), guests::name(mode)));
  kvmapi::Vcpu& vcpu = t.vcpu();
  const std::span<u8> ram(t.memory().data(), t.memory().size_bytes());
  guests::prepare_memory(mode, ram);
  std::memcpy(ram.data() + guests::kLoad, code.data(), code.size());
  // Kernels from 7.x refuse EFER bits that the guest's CPUID does not announce.
  t.must(vcpu.set_cpuid2(t.must(t.system().get_supported_cpuid(), "KVM_GET_SUPPORTED_CPUID")), "KVM_SET_CPUID2");
  set_system_registers(t, mode);
  set_general_registers(t, start);
}

bool run_to_exit(Ctx& t, const ExitStep& expected, const char* file, int line) {
  const auto answer = t.vcpu().run();
  if (!answer.ok()) {
    ADD_FAILURE_AT(file, line) << "KVM_RUN answered -1 " << answer.error().name() << "\nexpected: " << text(expected);
    return false;
  }
  const ExitStep got = observed(t);
  if (!is_same(expected, got)) {
    ADD_FAILURE_AT(file, line) << "expected: " << text(expected) << "\n     got: " << text(got);
    return false;
  }
  supply(t, expected);
  return true;
}

std::string text(const ExitStep& step) {
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
  return text;
}

void add_rows(Registry& registry, const char* suite, const char* source, const char* file,
              std::span<const GuestCase> rows) {
  for (const GuestCase& row : rows) {
    for (Mode mode : guests::kEveryMode) {
      if (!row.modes.has(mode) || !guests::exists(row.guest, mode)) continue;
      registry.add(Test{.id = fmt::format("{}.{}.{}", suite, row.name.text, guests::name(mode)),
                        .source = row.source != nullptr ? row.source : source,
                        .status = row.status,
                        .needs = row.needs,
                        .file = file,
                        .line = row.name.line,
                        .body = [&row, mode, file](Ctx& t) { run_row(row, mode, file, t); },
                        .describe = [&row, mode] { return describe(row, mode); }});
    }
  }
}

}  // namespace conformance
