// Generates the large branchy kernel: functions that call each other by chance, branch on mixed data and touch memory.
// The 16-bit one does the same with the same registers, by prefixes.
#include <cstring>
#include <random>

#include "mock/bench/kernels.hpp"

namespace bench {

namespace {

class Assembler {
 public:
  explicit Assembler(unsigned bits) : is_16_(bits == 16) {}
  // 32-bit operands, 32-bit addressing.
  void op32(std::initializer_list<int> list) {
    if (is_16_) out.push_back(0x66);
    bytes(list);
  }
  void op32_addr32(std::initializer_list<int> list) {
    if (is_16_) out.push_back(0x67);
    op32(list);
  }
  // How long op32() makes an instruction of `n` bytes.
  int op32_bytes(int n) const { return is_16_ ? n + 1 : n; }
  // The place of a displacement, of the mode's width.
  std::size_t displacement() {
    const std::size_t at = here();
    out.resize(at + (is_16_ ? 2 : 4));
    return at;
  }
  void bytes(std::initializer_list<int> list) {
    for (const int b : list) out.push_back(static_cast<std::uint8_t>(b));
  }
  void imm32(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  std::size_t here() const { return out.size(); }
  void patch(std::size_t at, std::size_t target) {
    const std::size_t width = is_16_ ? 2 : 4;
    const auto relative = static_cast<std::uint32_t>(target - (at + width));
    std::memcpy(out.data() + at, &relative, width);
  }

  std::vector<std::uint8_t> out;

 private:
  bool is_16_;
};

}  // namespace

std::vector<std::uint8_t> big_program(unsigned bits) {
  constexpr int kFunctions = 64, kBlocksPerFunction = 12;
  std::mt19937 random(42);
  Assembler a(bits);
  std::vector<std::size_t> starts(kFunctions);
  struct Fixup {
    std::size_t at;
    int function;
  };
  std::vector<Fixup> calls;
  const auto call = [&](int function) {
    a.bytes({0xe8});
    calls.push_back({a.displacement(), function});
  };
  // Entry: eax mixes, esi counts; every iteration calls eight functions.
  a.op32({0xb8});
  a.imm32(0x12345678);
  a.op32({0x31, 0xd2});  // xor edx, edx
  const std::size_t loop = a.here();
  for (int i = 0; i < 8; ++i) call(i * 8 + static_cast<int>(random() % 8));
  a.op32({0xff, 0xce});   // dec esi
  a.bytes({0x0f, 0x85});  // jnz loop
  a.patch(a.displacement(), loop);
  a.bytes({0xc3});
  for (int f = 0; f < kFunctions; ++f) {
    starts[static_cast<std::size_t>(f)] = a.here();
    for (int b = 0; b < kBlocksPerFunction; ++b) {
      a.op32({0x69, 0xc0});  // imul eax, eax, imm32
      a.imm32(1664525);
      a.op32({0x05});  // add eax, imm32
      a.imm32(1013904223u + static_cast<std::uint32_t>(random() % 1000));
      a.op32({0x89, 0xc1});                                           // mov ecx, eax
      a.op32({0xc1, 0xe9, 20});                                       // shr ecx, 20
      if (random() % 2) a.op32_addr32({0x03, 0x04, 0x8f});            // add eax, [edi + ecx*4]
      if (random() % 3 == 0) a.op32_addr32({0x89, 0x14, 0x8f});       // mov [edi + ecx*4], edx
      a.op32({0x31, 0xca});                                           // xor edx, ecx
      a.bytes({0xf6, 0xc1, static_cast<int>(1u << (random() % 6))});  // test cl, bit
      // Skips a call or some arithmetic, by chance of the data.
      if (f + 1 < kFunctions && random() % 6 == 0 && b % 4 == 3) {
        a.bytes({0x75, bits == 16 ? 3 : 5});  // jnz over the call
        call(f + 1 + static_cast<int>(random() % static_cast<unsigned>(kFunctions - f - 1)));
      } else {
        a.bytes({0x74, a.op32_bytes(2) + a.op32_bytes(3) + a.op32_bytes(2)});  // jz over
        a.op32({0x01, 0xc2});                                                  // add edx, eax
        a.op32({0x83, 0xc2, static_cast<int>(random() % 100)});                // add edx, imm8
        a.op32({0xd1, 0xca});                                                  // ror edx, 1
      }
    }
    a.bytes({0xc3});
  }
  for (const Fixup& fixup : calls) a.patch(fixup.at, starts[static_cast<std::size_t>(fixup.function)]);
  return a.out;
}

}  // namespace bench
