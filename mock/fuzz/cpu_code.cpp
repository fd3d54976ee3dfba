// Fuzzer: arbitrary bytes as code from an arbitrary state in every mode. Impossible: a crash, a hang, a touch of memory
// outside guest memory, an invariant that does not hold afterwards (cpu_invariants.hpp).
#include <cstddef>

#include "mock/fuzz/cpu_invariants.hpp"

namespace {

constexpr mock::fuzz::u64 kInstructions = 1500, kSlice = 250;
constexpr int kStops = 32;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const mock::fuzz::u8* data, std::size_t size) {
  using namespace mock;
  static fuzz::CpuMachine machine;
  std::span<const fuzz::u8> code;
  const fuzz::CpuInput input = fuzz::parse({data, size}, code);
  machine.start(input, code, false);
  const fuzz::u64 start = machine.cpu.instructions_retired();
  for (int stops = 0; stops < kStops; ++stops) {
    const fuzz::u64 before = machine.cpu.instructions_retired();
    if (before - start >= kInstructions) break;
    const cpu::Stop stop = machine.cpu.run(kSlice);
    if (machine.cpu.instructions_retired() - before > kSlice) fuzz::impossible("more instructions than allowed");
    const bool goes_on = machine.answer(stop);
    if (const char* what = fuzz::broken_invariant(machine)) fuzz::impossible(what);
    if (!goes_on) break;
  }
  if (const char* what = fuzz::broken_cache(machine)) fuzz::impossible(what);
  return 0;
}
