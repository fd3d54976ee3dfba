// See catalog.hpp. program_rows.inc is written by CMake: PROGRAM(name, variant, mode, level, variant run natively).
#include "guests/programs/catalog.hpp"

#include <vector>

extern "C" {
#define PROGRAM(name, variant, mode, level, native)             \
  extern const std::uint8_t program_##name##_##variant[];       \
  extern const std::uint8_t program_##name##_##variant##_end[]; \
  extern const char output_##name##_##native[];                 \
  extern const char output_##name##_##native##_end[];
#include "program_rows.inc"
#undef PROGRAM
}

namespace guests {
namespace {

constexpr std::uint32_t kRealSegment = 0x20000, kFlatLoad = 0x100000;

Program row(std::string_view name, std::string_view variant, std::string_view native, Mode mode, IsaLevel level,
            std::span<const std::uint8_t> image, std::string_view output) {
  const bool is_real = mode == Mode::real;
  return {.name = name,
          .variant = variant,
          .native = native,
          .mode = mode,
          .level = level,
          .segment_base = is_real ? kRealSegment : 0,
          .load = is_real ? kRealSegment : kFlatLoad,
          .stack = is_real ? 0xfff0 : kProgramRamBytes,
          .rounds = PROGRAM_ROUNDS,
          .image = image,
          .output = output};
}

}  // namespace

std::span<const Program> programs() {
#define PROGRAM(name, variant, mode, level, native)                   \
  row(#name, #variant, #native, Mode::mode, IsaLevel::level,          \
      {program_##name##_##variant, program_##name##_##variant##_end}, \
      {output_##name##_##native, output_##name##_##native##_end}),
  static const std::vector<Program> all = {
#include "program_rows.inc"
  };
#undef PROGRAM
  return all;
}

}  // namespace guests
