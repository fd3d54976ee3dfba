// Whole programs compiled from C (guests/programs) print under KVM_RUN, byte for byte, what the same objects print as
// processes of the machine that built them: sorting, hashing, ciphers, big numbers, floating point in x87, SSE and AVX,
// in real, protected and long mode. ids: cpu.program.<program>.<variant>.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "conformance/support/deadline.hpp"
#include "conformance/support/machine.hpp"
#include "conformance/support/rows.hpp"
#include "guests/layout.hpp"
#include "guests/programs/catalog.hpp"

namespace conformance {
namespace {

using guests::IsaLevel;
using guests::Program;
using kvmapi::u32;

// A program takes milliseconds; on an emulated machine up to a second.
constexpr int kRunSeconds = 30;

// Beyond x86-64-v1, which every KVM host has. SDM and APM, CPUID.
constexpr CpuFeature kV2[] = {
    {"ssse3", 1, 0, CpuidRegister::ecx, 9},
    {"sse4_1", 1, 0, CpuidRegister::ecx, 19},
    {"sse4_2", 1, 0, CpuidRegister::ecx, 20},
    {"popcnt", 1, 0, CpuidRegister::ecx, 23},
};
constexpr CpuFeature kV3[] = {
    {"xsave", 1, 0, CpuidRegister::ecx, 26},         {"avx", 1, 0, CpuidRegister::ecx, 28},
    {"fma", 1, 0, CpuidRegister::ecx, 12},           {"f16c", 1, 0, CpuidRegister::ecx, 29},
    {"movbe", 1, 0, CpuidRegister::ecx, 22},         {"bmi1", 7, 0, CpuidRegister::ebx, 3},
    {"avx2", 7, 0, CpuidRegister::ebx, 5},           {"bmi2", 7, 0, CpuidRegister::ebx, 8},
    {"lzcnt", 0x80000001, 0, CpuidRegister::ecx, 5},
};

void require(Ctx& t, std::span<const CpuFeature> features) {
  for (const CpuFeature& feature : features) {
    if (const auto missing = unmet({.cpu = feature}, t)) t.skip(*missing);
  }
}

void start(Ctx& t, const Program& program) {
  t.set_memory_bytes(guests::kProgramRamBytes);
  const std::span<kvmapi::u8> ram(t.memory().data(), t.memory().size_bytes());
  guests::prepare_memory(program.mode, ram);
  std::ranges::copy(program.image, ram.begin() + program.load);
  t.must(t.vcpu().set_cpuid2(t.must(t.system().get_supported_cpuid(), "KVM_GET_SUPPORTED_CPUID")), "KVM_SET_CPUID2");
  auto sregs = t.must(t.vcpu().get_sregs(), "KVM_GET_SREGS");
  apply(guests::start_cpu(program.mode), sregs);
  if (program.mode == guests::Mode::real) {
    for (kvmapi::kvm_segment* segment : {&sregs.cs, &sregs.ds, &sregs.es, &sregs.ss}) {
      segment->base = program.segment_base;
      segment->selector = static_cast<kvmapi::u16>(program.segment_base >> 4);
    }
  }
  t.must(t.vcpu().set_sregs(sregs), "KVM_SET_SREGS");
  t.must(t.vcpu().set_regs(
             {.rdi = program.rounds, .rsp = program.stack, .rip = program.load - program.segment_base, .rflags = 2}),
         "KVM_SET_REGS");
}

// What the program said, once it has ended as it should.
std::optional<std::string> output_of(Ctx& t, const Program& program) {
  const Deadline deadline(kRunSeconds);
  const auto answer = t.vcpu().run();
  const kvmapi::kvm_run& page = t.page();
  const auto reason = static_cast<kvmapi::Exit>(page.exit_reason);
  const auto regs = t.must(t.vcpu().get_regs(), "KVM_GET_REGS");
  if (!answer.ok() || reason != kvmapi::Exit::Io) {
    ADD_FAILURE() << "KVM_RUN: " << (answer.ok() ? c_name(reason) : answer.error().name())
                  << fmt::format(" with RIP {:#x} RSP {:#x}; a vector V that was taken halts at {:#x} + V * {:#x}",
                                 regs.rip, regs.rsp, guests::handler(0) + 1, guests::kHandlerBytes);
    return std::nullopt;
  }
  const auto io = page.exit.as<kvmapi::kvm_exit_io>();
  EXPECT_TRUE(io.direction == 1 && io.port == guests::kProgramPort && io.size == 4 && io.count == 1);
  u32 at = 0, size = 0;
  std::memcpy(&at, reinterpret_cast<const char*>(&page) + io.data_offset, sizeof at);
  const std::size_t bytes = t.memory().size_bytes(), begin = std::size_t{program.segment_base} + at + sizeof size;
  if (begin <= bytes) std::memcpy(&size, t.memory().data() + begin - sizeof size, sizeof size);
  if (begin > bytes || size > bytes - begin) {
    ADD_FAILURE() << fmt::format("the output is said to be at {:#x}, {} bytes: outside RAM", begin, size);
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(t.memory().data()) + begin, size);
}

void run(Ctx& t, const Program& program) {
  if (program.level >= IsaLevel::v2) require(t, kV2);
  if (program.level >= IsaLevel::v3) require(t, kV3);
  start(t, program);
  const auto output = output_of(t, program);
  if (!output || *output == program.output) return;
  const auto [here, there] = std::ranges::mismatch(*output, program.output);
  const auto line = std::count(output->begin(), here, '\n');
  ADD_FAILURE() << fmt::format("the output differs in line {} from that of {} run natively\nexpected:\n{}\ngot:\n{}",
                               line + 1, program.native, program.output, *output);
}

std::string describe(const Program& program) {
  return fmt::format("guests/programs/{}.c compiled as {}, {} rounds, must print what {} prints natively:\n{}",
                     program.name, program.variant, program.rounds, program.native, program.output);
}

const bool kRegistered = [] {
  for (const Program& program : guests::programs()) {
    Registry::global().add({.id = fmt::format("cpu.program.{}.{}", program.name, program.variant),
                            .source = "SDM volume 2; the host CPU",
                            .needs = {},
                            .file = __FILE__,
                            .line = __LINE__,
                            .body = [&program](Ctx& t) { run(t, program); },
                            .describe = [&program] { return describe(program); }});
  }
  return true;
}();

}  // namespace
}  // namespace conformance
