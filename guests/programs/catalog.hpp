// Every program of this folder in every variant that it was compiled in: its image, and what it must print.
//
// How to run one: guest memory of kProgramRamBytes from 0, prepared by prepare_memory() for its mode; the image at
// `load`; the CPU as start_cpu() says, with the code and data segments at `segment_base` in real mode; RIP = the
// image's first byte; RSP = `stack`; RDI = `rounds`. It ends with a 32-bit OUT to kProgramPort of the address, within
// the segment, of its output: a 32-bit length and the text. Anything else is a failure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "guests/layout.hpp"
#include "guests/programs/image.h"

namespace guests {

inline constexpr std::uint32_t kProgramRamBytes = 0x200000;
inline constexpr std::uint16_t kProgramPort = PROGRAM_PORT;

// The x86-64 psABI's microarchitecture level whose instructions a variant may use.
enum class IsaLevel : std::uint8_t { v1, v2, v3 };

struct Program {
  std::string_view name;     // "sha256"
  std::string_view variant;  // "long64_o3_v3"
  std::string_view native;   // the variant that printed `output` natively: itself, where that was possible
  Mode mode;
  IsaLevel level;
  std::uint32_t segment_base;  // of CS, DS, ES and SS; 0 outside real mode
  std::uint32_t load;          // guest physical address of the image
  std::uint32_t stack;         // first RSP
  unsigned rounds;
  std::span<const std::uint8_t> image;
  std::string_view output;
};

std::span<const Program> programs();

}  // namespace guests
