// Every assembled guest: its name (catalog.def), for which modes it exists, its bytes and its marked addresses.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "guests/layout.hpp"

namespace guests {

enum class Guest : std::uint16_t {
#define EVERY_MODE(name) name,
#define REAL(name) name,
#define PROT32(name) name,
#define LONG64(name) name,
#define PROTECTED(name) name,
#define REAL_AND_PROT32(name) name,
#include "guests/catalog.def"
#undef EVERY_MODE
#undef REAL
#undef PROT32
#undef LONG64
#undef PROTECTED
#undef REAL_AND_PROT32
};

// A named address inside a guest, as its source marked it.
struct Mark {
  std::string_view name;
  std::uint64_t address;
};

// "out_byte"
const char* name(Guest guest);

// All guests, in the order of catalog.def.
std::span<const Guest> all_guests();

// The code, to be placed at kLoad where it starts. Empty if this guest has none for the mode: prot32, paged32 and pae32
// share theirs.
std::span<const std::uint8_t> code(Guest guest, Mode mode);
inline bool exists(Guest guest, Mode mode) { return !code(guest, mode).empty(); }

std::vector<Mark> marks(Guest guest, Mode mode);

// Guest address of a mark.
std::optional<std::uint64_t> mark(Guest guest, Mode mode, std::string_view mark_name);

}  // namespace guests
