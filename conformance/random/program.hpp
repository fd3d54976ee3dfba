// Program: a random guest, complete as data. Equal for equal (mode, seed, number) on every machine. It is a list of
// chunks: bits of code that the reducer can leave out and at which the driver goes on after an exception.
#pragma once

#include <array>
#include <vector>

#include "conformance/random/mode.hpp"

namespace conformance::random {

// One instruction with what prepares it and what cleans up after it.
struct Chunk {
  // A jump to the start of another chunk (or to the end of the code), to be filled in when addresses are known.
  struct Target {
    u8 at = 0, bytes = 0;  // where in `code`, and how wide; 0: none
    bool is_relative = true;
    u32 chunk = 0;  // index as generated
  };

  std::array<u8, 64> code{};
  u8 size = 0;
  bool changes_itself = false;
  u32 index = 0;  // as generated: kept when others are left out
  Target target;

  void put(u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes && size < code.size(); ++i) code[size++] = static_cast<u8>(value >> (8 * i));
  }
  void byte(unsigned value) { put(value, 1); }
};

struct Program {
  u64 seed = 0, number = 0;
  Variant variant{.mode = Mode::real, .bits = 16, .ring = 0};
  std::vector<Chunk> chunks;
  kvmapi::kvm_regs regs{};
  kvmapi::kvm_fpu fpu{};
  bool uses_fpu = false;  // MXCSR is set and compared, too
  u64 chance = 0;         // what answers at exits are made of
  bool returns = false;   // handlers go on by IRET, not by new registers
  u8 interrupts = 0;      // percent of exits after which one is injected
};

struct ProgramOptions {
  u64 seed = 1;
  Mode mode = Mode::real;
  u32 families = ~0u;  // bit per Family
};

Program make_program(const ProgramOptions& options, u64 number);

// The bytes at kCode, and where each chunk starts; one more start for the HLT that ends the program.
struct Code {
  std::vector<u8> bytes;
  std::vector<u64> starts;
};
Code assemble(const Program& program);

}  // namespace conformance::random
