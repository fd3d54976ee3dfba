// The mock's CPU beside native code, Unicorn and QEMU TCG on the same loops, and what an exit costs inside the CPU.
//
// kernel64/*, kernel16/*: each round runs the loop once on every engine that is there, interleaved; counters are
// medians: MIPS (movs, stos: GB/s) of each engine, and of_<engine>: the mock's throughput as a fraction of that
// engine's. kernel64/geomean: over the eight integer kernels; needs the others to have run before it. ci/bench prints
// the table.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "mock/bench/engine.hpp"
#include "mock/cpu/test_machine.hpp"

namespace bench {
namespace {

using namespace mock::cpu;

constexpr u64 kCode = 0x10000;

std::vector<std::unique_ptr<Engine>> engines_for(const Kernel& kernel) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (const auto make : {make_mock_engine, make_native_engine, make_unicorn_engine, make_qemu_engine}) {
    if (auto engine = make(kernel)) engines.push_back(std::move(engine));
  }
  return engines;
}

// Engine -> the mock's throughput as a fraction of its, one value per integer kernel.
std::map<std::string, std::vector<double>>& integer_ratios() {
  static std::map<std::string, std::vector<double>> ratios;
  return ratios;
}

void run_kernel(benchmark::State& state, const Kernel& kernel) {
  const auto engines = engines_for(kernel);
  const u64 expected = engines[0]->first_result();
  for (std::size_t i = 1; i < engines.size(); ++i) {
    if (engines[i]->first_result() == expected) continue;
    state.SkipWithError((std::string("the result of ") + engines[i]->name() + " differs from the mock's").c_str());
    return;
  }
  // An engine that takes very long sits out the later rounds.
  constexpr double kEnoughSeconds = 2;
  std::vector<std::vector<double>> times(engines.size());
  std::vector<double> spent(engines.size());
  for (auto _ : state) {
    for (std::size_t i = 0; i < engines.size(); ++i) {
      if (spent[i] > kEnoughSeconds && times[i].size() >= 3 && i != 0) continue;
      times[i].push_back(engines[i]->run().seconds);
      spent[i] += times[i].back();
    }
    state.SetIterationTime(times[0].back());
  }
  const double work = kernel.bytes != 0 ? static_cast<double>(kernel.iterations * kernel.bytes) / 1e9
                                        : static_cast<double>(engines[0]->instructions()) / 1e6;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    state.counters[engines[i]->name()] = work / median(times[i]);
    if (i == 0) continue;
    std::vector<double> ratios;
    for (std::size_t round = 0; round < times[i].size(); ++round) ratios.push_back(times[i][round] / times[0][round]);
    state.counters[std::string("of_") + engines[i]->name()] = median(ratios);
    if (kernel.is_integer) integer_ratios()[engines[i]->name()].push_back(median(ratios));
  }
}

void geomean(benchmark::State& state) {
  for (auto _ : state) state.SetIterationTime(1e-9);
  for (const auto& [engine, ratios] : integer_ratios()) {
    double sum = 0;
    for (const double ratio : ratios) sum += std::log(ratio);
    state.counters["of_" + engine] = std::exp(sum / static_cast<double>(ratios.size()));
  }
}

// Exit and re-entry inside the CPU: run() + complete().
void run_exit(benchmark::State& state, std::string_view code, Stop expected) {
  FlatMachine machine(32 << 20);
  machine.load(kCode, code);
  machine.long_mode(kCode);
  machine.reg(RBX) = 0x3000'0000;
  const u64 data = 0;
  for (auto _ : state) {
    if (machine.cpu.run(1000) != expected) state.SkipWithError("unexpected stop");
    machine.cpu.complete(&data);
  }
}

void create_run_destroy(benchmark::State& state) {
  FlatBus bus(1 << 20);
  std::memcpy(bus.ram() + 0x1000, "\x31\xc0\x40\x40\x40\x40\x40\x40\x40\xf4", 10);
  for (auto _ : state) {
    Cpu cpu(bus);
    for (Segment& segment : cpu.state().seg) segment.base = 0;
    cpu.state().rip = 0x1000;
    cpu.state_changed();
    if (cpu.run(100) != Stop::hlt) state.SkipWithError("unexpected stop");
  }
}

// Zeros are code (add %al, (%rax)) that stores into its own page, where each of the first instructions has been the
// start of a block. A store to code asks which blocks it hits; that must not grow with the number of blocks.
void store_among_blocks(benchmark::State& state) {
  constexpr u64 kInstructionBytes = 2;
  const auto blocks = static_cast<u64>(state.range(0));
  FlatMachine machine;
  machine.long_mode(kCode);
  machine.reg(RAX) = kCode;
  u64 at = 0;
  const auto step = [&] {
    machine.s().rip = kCode + kInstructionBytes * (at++ % blocks);
    if (machine.cpu.run(1) != Stop::budget) state.SkipWithError("unexpected stop");
  };
  while (at < blocks) step();
  for (auto _ : state) step();
}

using namespace std::string_view_literals;

const bool kRegistered = [] {
  benchmark::AddCustomContext("unicorn", unicorn_version());
  benchmark::AddCustomContext("qemu", qemu_version());
  constexpr int kRounds = 9;
  const auto add = [](const char* family, const Kernel& kernel) {
    benchmark::RegisterBenchmark((std::string(family) + kernel.name).c_str(), run_kernel, kernel)
        ->UseManualTime()
        ->Iterations(kRounds)
        ->Unit(benchmark::kMillisecond);
  };
  for (const Kernel& kernel : kernels64()) add("kernel64/", kernel);
  benchmark::RegisterBenchmark("kernel64/geomean", geomean)->UseManualTime()->Iterations(1);
  for (const Kernel& kernel : kernels16()) add("kernel16/", kernel);
  // Loops: out %al, $0x10; jmp .-2 and the like.
  benchmark::RegisterBenchmark("exit/out", run_exit, "\xe6\x10\xeb\xfc"sv, Stop::io);
  benchmark::RegisterBenchmark("exit/in", run_exit, "\xe4\x10\xeb\xfc"sv, Stop::io);
  benchmark::RegisterBenchmark("exit/hlt", run_exit, "\xf4\xeb\xfd"sv, Stop::hlt);
  benchmark::RegisterBenchmark("exit/mmio_write", run_exit, "\x89\x03\xeb\xfc"sv, Stop::mmio_write);
  benchmark::RegisterBenchmark("exit/mmio_read", run_exit, "\x8b\x03\xeb\xfc"sv, Stop::mmio_read);
  benchmark::RegisterBenchmark("cpu/create_run_destroy", create_run_destroy);
  benchmark::RegisterBenchmark("scale/store_among_blocks", store_among_blocks)->Arg(64)->Arg(512)->Arg(2040);
  return true;
}();

}  // namespace
}  // namespace bench
