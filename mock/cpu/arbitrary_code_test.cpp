// Arbitrary bytes as code in every mode: no crash, no hang, nothing outside guest memory is touched. Exits are answered
// with noise.
#include <gtest/gtest.h>

#include <random>

#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

enum class Mode { real, protected32, long64 };

// Runs until the stop budget is used up; the program restarts elsewhere after what ends a program.
void run_noise(Mode mode, u64 seed) {
  std::mt19937_64 random(seed);
  FlatMachine m;
  for (u64 i = 0; i < 0x60000; i += 8) m.poke<u64>(i, random());
  switch (mode) {
    case Mode::real:
      m.real_mode(0x1000);
      break;
    case Mode::protected32:
      m.protected_mode(0x1000);
      break;
    case Mode::long64:
      m.long_mode(0x1000);
      break;
  }
  std::array<u64, 512> answer;
  for (u64& a : answer) a = random();
  for (int stops = 0; stops < 60; ++stops) {
    for (int k = 0; k < 4; ++k) m.s().gpr[random() % 16] = random() % 2 ? random() & 0x7ffff : random();
    const Stop stop = m.cpu.run(500);
    for (int pending = 0; m.cpu.is_completion_pending() && pending < 64; ++pending) {
      if (stop == Stop::msr_read || stop == Stop::msr_write)
        m.cpu.complete_msr(false, random());
      else if (stop == Stop::hypercall)
        m.cpu.complete_hypercall(0);
      else
        m.cpu.complete(answer.data());
    }
    if (stop != Stop::budget && stop != Stop::io && stop != Stop::mmio_read && stop != Stop::mmio_write) {
      m.s().event = {};
      m.s().rip = random() % 0x8000;
      m.cpu.state_changed();
    }
  }
}

TEST(ArbitraryCode, runs_without_harm_in_real_mode) {
  for (u64 seed = 1; seed <= 40; ++seed) run_noise(Mode::real, seed);
}
TEST(ArbitraryCode, runs_without_harm_in_protected_mode) {
  for (u64 seed = 1; seed <= 40; ++seed) run_noise(Mode::protected32, seed);
}
TEST(ArbitraryCode, runs_without_harm_in_long_mode) {
  for (u64 seed = 1; seed <= 40; ++seed) run_noise(Mode::long64, seed);
}

}  // namespace
}  // namespace mock::cpu
