// The mock CPU beside native code on the same loops, and what an exit costs inside the CPU.
//
// kernel/*: each round runs the loop on both, interleaved; counters are medians. MIPS of `mock` and `native` (movs:
// GB/s), their ratio. kernel/geomean: over the eight integer kernels; needs the others to have run before it.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "mock/bench/kernels.hpp"
#include "mock/cpu/test_machine.hpp"

namespace bench {
namespace {

using namespace mock::cpu;

constexpr u64 kCode = 0x10000, kReturn = 0x8000, kStack = 0x60000, kData = 0x800000;

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

class Guest {
 public:
  explicit Guest(const Kernel& kernel) : machine_(32 << 20), kernel_(kernel) {
    machine_.load(kCode, kernel.code);
    machine_.poke<u8>(kReturn, 0xf4);
    machine_.long_mode(kCode);
    machine_.s().cr4 |= CR4_OSFXSR;
    kernel.prepare(machine_.bus.ram() + kData, kData);
  }
  u64 run() {
    machine_.reg(RDI) = kData;
    machine_.reg(RSI) = kernel_.iterations;
    machine_.reg(RSP) = kStack - 8;
    machine_.poke<u64>(kStack - 8, kReturn);
    machine_.s().rip = kCode;
    const u64 before = machine_.cpu.instructions_retired();
    if (machine_.cpu.run(~u64{0} >> 1) != Stop::hlt) std::abort();
    instructions_ = machine_.cpu.instructions_retired() - before - 1;
    return machine_.reg(RAX);
  }
  u64 instructions() const { return instructions_; }

 private:
  FlatMachine machine_;
  const Kernel& kernel_;
  u64 instructions_ = 0;
};

class Native {
 public:
  explicit Native(const Kernel& kernel) : kernel_(kernel), data_(kDataBytes + 4096) {
    code_ = mmap(nullptr, kernel.code.size(), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code_ == MAP_FAILED) std::abort();
    std::memcpy(code_, kernel.code.data(), kernel.code.size());
    base_ = reinterpret_cast<u8*>((reinterpret_cast<u64>(data_.data()) + 4095) & ~u64{4095});
    kernel.prepare(base_, reinterpret_cast<u64>(base_));
  }
  ~Native() { munmap(code_, kernel_.code.size()); }
  u64 run() { return reinterpret_cast<u64 (*)(u8*, u64)>(code_)(base_, kernel_.iterations); }
  u64 base() const { return reinterpret_cast<u64>(base_); }

 private:
  const Kernel& kernel_;
  std::vector<u8> data_;
  void* code_;
  u8* base_;
};

std::vector<double>& integer_ratios() {
  static std::vector<double> ratios;
  return ratios;
}

void run_kernel(benchmark::State& state, const Kernel& kernel) {
  Guest guest(kernel);
  Native native(kernel);
  const bool is_address = std::string_view(kernel.name) == "chase";
  const u64 expected = native.run(), got = guest.run();
  if (is_address ? expected - native.base() != got - kData : expected != got) {
    state.SkipWithError("the mock's result differs from the native one");
    return;
  }
  std::vector<double> mock_times, native_times, ratios;
  for (auto _ : state) {
    const double t0 = cpu_seconds();
    guest.run();
    const double t1 = cpu_seconds();
    native.run();
    const double t2 = cpu_seconds();
    mock_times.push_back(t1 - t0);
    native_times.push_back(t2 - t1);
    ratios.push_back((t2 - t1) / (t1 - t0));
    state.SetIterationTime(t1 - t0);
  }
  const double work = kernel.counts_bytes ? static_cast<double>(kernel.iterations * kMovsBytes) / 1e9
                                          : static_cast<double>(guest.instructions()) / 1e6;
  state.counters["mock"] = work / median(mock_times);
  state.counters["native"] = work / median(native_times);
  state.counters["ratio"] = median(ratios);
  const std::string_view name = kernel.name;
  if (!kernel.counts_bytes && name != "big" && name != "sse2") integer_ratios().push_back(median(ratios));
}

void geomean(benchmark::State& state) {
  double sum = 0;
  for (const double r : integer_ratios()) sum += std::log(r);
  for (auto _ : state) state.SetIterationTime(1e-9);
  if (!integer_ratios().empty()) state.counters["ratio"] = std::exp(sum / static_cast<double>(integer_ratios().size()));
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

using namespace std::string_view_literals;

const bool kRegistered = [] {
  for (const Kernel& kernel : kernels())
    benchmark::RegisterBenchmark((std::string("kernel/") + kernel.name).c_str(), run_kernel, kernel)
        ->UseManualTime()
        ->MinTime(0.2)
        ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("kernel/geomean", geomean)->UseManualTime()->Iterations(1);
  // Loops: out %al, $0x10; jmp .-2 and the like.
  benchmark::RegisterBenchmark("exit/out", run_exit, "\xe6\x10\xeb\xfc"sv, Stop::io);
  benchmark::RegisterBenchmark("exit/in", run_exit, "\xe4\x10\xeb\xfc"sv, Stop::io);
  benchmark::RegisterBenchmark("exit/hlt", run_exit, "\xf4\xeb\xfd"sv, Stop::hlt);
  benchmark::RegisterBenchmark("exit/mmio_write", run_exit, "\x89\x03\xeb\xfc"sv, Stop::mmio_write);
  benchmark::RegisterBenchmark("exit/mmio_read", run_exit, "\x8b\x03\xeb\xfc"sv, Stop::mmio_read);
  benchmark::RegisterBenchmark("cpu/create_run_destroy", create_run_destroy);
  return true;
}();

}  // namespace
}  // namespace bench
