// Generates the large branchy kernel: functions that call each other by chance, branch on mixed data and touch memory.
#include <cstring>
#include <random>

#include "mock/bench/kernels.hpp"

namespace bench {

namespace {

class Assembler {
 public:
  void bytes(std::initializer_list<int> list) {
    for (const int b : list) out.push_back(static_cast<std::uint8_t>(b));
  }
  void imm32(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  std::size_t here() const { return out.size(); }
  void patch32(std::size_t at, std::size_t target) {
    const auto relative = static_cast<std::uint32_t>(target - (at + 4));
    std::memcpy(out.data() + at, &relative, 4);
  }

  std::vector<std::uint8_t> out;
};

}  // namespace

std::vector<std::uint8_t> big_program() {
  constexpr int kFunctions = 64, kBlocksPerFunction = 12;
  std::mt19937 random(42);
  Assembler a;
  std::vector<std::size_t> starts(kFunctions);
  struct Fixup {
    std::size_t at;
    int function;
  };
  std::vector<Fixup> calls;
  // Entry: eax mixes, rsi counts; every iteration calls eight functions.
  a.bytes({0xb8});
  a.imm32(0x12345678);
  a.bytes({0x31, 0xd2});  // xor edx, edx
  const std::size_t loop = a.here();
  for (int i = 0; i < 8; ++i) {
    a.bytes({0xe8});
    calls.push_back({a.here(), i * 8 + static_cast<int>(random() % 8)});
    a.imm32(0);
  }
  a.bytes({0x48, 0xff, 0xce, 0x0f, 0x85});  // dec rsi; jnz loop
  const std::size_t back = a.here();
  a.imm32(0);
  a.patch32(back, loop);
  a.bytes({0xc3});
  for (int f = 0; f < kFunctions; ++f) {
    starts[static_cast<std::size_t>(f)] = a.here();
    for (int b = 0; b < kBlocksPerFunction; ++b) {
      a.bytes({0x69, 0xc0});  // imul eax, eax, imm32
      a.imm32(1664525);
      a.bytes({0x05});  // add eax, imm32
      a.imm32(1013904223u + static_cast<std::uint32_t>(random() % 1000));
      a.bytes({0x89, 0xc1, 0xc1, 0xe9, 20});                          // mov ecx, eax; shr ecx, 20
      if (random() % 2) a.bytes({0x03, 0x04, 0x8f});                  // add eax, [rdi + rcx*4]
      if (random() % 3 == 0) a.bytes({0x89, 0x14, 0x8f});             // mov [rdi + rcx*4], edx
      a.bytes({0x31, 0xca});                                          // xor edx, ecx
      a.bytes({0xf6, 0xc1, static_cast<int>(1u << (random() % 6))});  // test cl, bit
      // Skips a call or some arithmetic, by chance of the data.
      if (f + 1 < kFunctions && random() % 6 == 0 && b % 4 == 3) {
        a.bytes({0x75, 5});  // jnz over the call
        a.bytes({0xe8});
        const int callee = f + 1 + static_cast<int>(random() % static_cast<unsigned>(kFunctions - f - 1));
        calls.push_back({a.here(), callee});
        a.imm32(0);
      } else {
        a.bytes({0x74, 7, 0x01, 0xc2, 0x83, 0xc2, static_cast<int>(random() % 100), 0xd1,
                 0xca});  // jz; add edx,eax; add edx,imm8; ror edx,1
      }
    }
    a.bytes({0xc3});
  }
  for (const Fixup& fixup : calls) a.patch32(fixup.at, starts[static_cast<std::size_t>(fixup.function)]);
  return a.out;
}

}  // namespace bench
