// First execution of code: each round runs a program of which no block has been decoded, then lets Zydis decode fully
// the instructions that were executed. Counters are medians over the rounds: nanoseconds per instruction of `mock` and
// `zydis`, and `of_zydis`, their ratio.
#include <Zydis/Zydis.h>
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "mock/bench/measure.hpp"
#include "mock/cpu/test_machine.hpp"

namespace bench {
namespace {

using namespace mock::cpu;

constexpr u64 kCode = 0x10000, kData = 0x200000, kStack = 0x300000;
constexpr unsigned kInstructions = 5000;

// What compilers emit most, over rax, rcx, rdx, rbx, r8, r9 and memory behind rdi. One template per instruction; `?` is
// a random byte.
struct Template {
  const char* bytes;
  std::size_t length;
  unsigned random_bytes;  // at the end
};
template <std::size_t n>
constexpr Template code(const char (&bytes)[n], unsigned random_bytes = 0) {
  return {bytes, n - 1, random_bytes};
}
const Template kTemplates[] = {
    code("\x48\x89\xc1"),         // mov rcx, rax
    code("\x89\xd3"),             // mov ebx, edx
    code("\x49\x89\xd0"),         // mov r8, rdx
    code("\xb8", 4),              // mov eax, imm32
    code("\x48\x8b\x47", 1),      // mov rax, [rdi + disp8]
    code("\x8b\x57", 1),          // mov edx, [rdi + disp8]
    code("\x4c\x8b\x47", 1),      // mov r8, [rdi + disp8]
    code("\x48\x89\x4f", 1),      // mov [rdi + disp8], rcx
    code("\x89\x5f", 1),          // mov [rdi + disp8], ebx
    code("\x0f\xb6\x4f", 1),      // movzx ecx, byte [rdi + disp8]
    code("\x0f\xb7\xd0"),         // movzx edx, ax
    code("\x48\x63\xc8"),         // movsxd rcx, eax
    code("\x48\x8d\x54\x08", 1),  // lea rdx, [rax + rcx + disp8]
    code("\x8d\x04\x9b"),         // lea eax, [rbx + rbx*4]
    code("\x48\x01\xd0"),         // add rax, rdx
    code("\x83\xc1", 1),          // add ecx, imm8
    code("\x48\x2b\x4f", 1),      // sub rcx, [rdi + disp8]
    code("\x29\xda"),             // sub edx, ebx
    code("\x25", 4),              // and eax, imm32
    code("\x4d\x31\xc1"),         // xor r9, r8
    code("\x31\xc0"),             // xor eax, eax
    code("\x09\xcb"),             // or ebx, ecx
    code("\xc1\xe2", 1),          // shl edx, imm8
    code("\x48\xc1\xe8", 1),      // shr rax, imm8
    code("\x0f\xaf\xc2"),         // imul eax, edx
    code("\x50\x59"),             // push rax; pop rcx
    code("\xf7\xdb"),             // neg ebx
};
const Template kCompares[] = {code("\x39\xd0"), code("\x85\xc9"), code("\x48\x83\xf8", 1), code("\x80\x7f\x08", 1)};

// A line of code that ends in HLT; with `branches` every few instructions one that skips the next three, by chance of
// the data.
std::vector<u8> cold_program(bool branches) {
  std::mt19937 random(7);
  std::vector<u8> out;
  const auto emit = [&](const Template& t) {
    out.insert(out.end(), t.bytes, t.bytes + t.length);
    for (unsigned i = 0; i < t.random_bytes; ++i) out.push_back(static_cast<u8>(random() & 0x7f));
  };
  const auto any = [&] { return kTemplates[random() % std::size(kTemplates)]; };
  for (unsigned i = 0; i < kInstructions; ++i) {
    if (!branches || random() % 5) {
      emit(any());
      continue;
    }
    emit(kCompares[random() % std::size(kCompares)]);
    out.push_back(static_cast<u8>(0x72 + random() % 14));  // jcc over the next three
    const std::size_t at = out.size();
    out.push_back(0);
    for (int skipped = 0; skipped < 3; ++skipped) emit(any());
    out[at] = static_cast<u8>(out.size() - at - 1);
  }
  out.push_back(0xf4);
  return out;
}

class Cold {
 public:
  explicit Cold(const std::vector<u8>& code) : machine_(4 << 20) {
    std::memcpy(machine_.bus.ram() + kCode, code.data(), code.size());
    machine_.long_mode(kCode);
    note_executed();
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  }
  void run() {
    start();
    if (machine_.cpu.run(~u64{0} >> 1) != Stop::hlt) std::abort();
  }
  void forget() { machine_.cpu.flush_all_memory(); }
  void decode() const {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    for (const u8* at : executed_) {
      if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, at, 15, &instruction, operands))) std::abort();
      benchmark::DoNotOptimize(operands);
    }
  }
  double instructions() const { return static_cast<double>(executed_.size()); }

 private:
  void start() {
    machine_.s().gpr = {};
    machine_.reg(RDI) = kData;
    machine_.reg(RSP) = kStack;
    machine_.s().rip = kCode;
    std::memset(machine_.bus.ram() + kData, 0x5a, 512);
  }
  void note_executed() {
    start();
    Stop stop = Stop::budget;
    while (stop == Stop::budget) {
      executed_.push_back(machine_.bus.ram() + machine_.s().rip);
      stop = machine_.cpu.run(1);
    }
    if (stop != Stop::hlt) std::abort();
  }

  FlatMachine machine_;
  ZydisDecoder decoder_;
  std::vector<const u8*> executed_;
};

void run_cold(benchmark::State& state, bool branches) {
  Cold cold(cold_program(branches));
  std::vector<double> mock, zydis, ratios;
  for (auto _ : state) {
    cold.forget();
    const double t0 = cpu_seconds();
    cold.run();
    const double t1 = cpu_seconds();
    cold.decode();
    const double t2 = cpu_seconds();
    mock.push_back(t1 - t0);
    zydis.push_back(t2 - t1);
    ratios.push_back((t1 - t0) / (t2 - t1));
    state.SetIterationTime(t1 - t0);
  }
  state.counters["mock"] = median(mock) * 1e9 / cold.instructions();
  state.counters["zydis"] = median(zydis) * 1e9 / cold.instructions();
  state.counters["of_zydis"] = median(ratios);
}

const bool kRegistered = [] {
  const auto add = [](const char* name, bool branches) {
    benchmark::RegisterBenchmark(name, run_cold, branches)->UseManualTime()->Unit(benchmark::kMicrosecond);
  };
  add("cold/straight", false);
  add("cold/branchy", true);
  return true;
}();

}  // namespace
}  // namespace bench
