// Ties the names of catalog.def to the symbols of the assembled sources (see guest.inc).
#include "guests/catalog.hpp"

#include <array>
#include <cstring>

#define CODE(mode, name)                                   \
  extern const std::uint8_t guest_##mode##_##name[];       \
  extern const std::uint8_t guest_##mode##_##name##_end[]; \
  extern const char guest_##mode##_##name##_marks[];

extern "C" {
#define REAL(name) CODE(real, name)
#define PROT32(name) CODE(prot32, name)
#define LONG64(name) CODE(long64, name)
#define PROTECTED(name) PROT32(name) LONG64(name)
#define REAL_AND_PROT32(name) REAL(name) PROT32(name)
#define EVERY_MODE(name) REAL(name) PROTECTED(name)
#include "guests/catalog.def"
#undef REAL
#undef PROT32
#undef LONG64
#undef PROTECTED
#undef REAL_AND_PROT32
#undef EVERY_MODE
}
#undef CODE

namespace guests {
namespace {

struct Image {
  const std::uint8_t* begin = nullptr;
  const std::uint8_t* end = nullptr;
  const char* marks = nullptr;
};

struct Row {
  const char* name;
  Image real, prot32, long64;
};

#define CODE(mode, name) \
  { guest_##mode##_##name, guest_##mode##_##name##_end, guest_##mode##_##name##_marks }
#define REAL(name) {#name, CODE(real, name), {}, {}},
#define PROT32(name) {#name, {}, CODE(prot32, name), {}},
#define LONG64(name) {#name, {}, {}, CODE(long64, name)},
#define PROTECTED(name) {#name, {}, CODE(prot32, name), CODE(long64, name)},
#define EVERY_MODE(name) {#name, CODE(real, name), CODE(prot32, name), CODE(long64, name)},
#define REAL_AND_PROT32(name) {#name, CODE(real, name), CODE(prot32, name), {}},
constexpr Row kRows[] = {
#include "guests/catalog.def"
};
#undef CODE
#undef REAL
#undef PROT32
#undef LONG64
#undef PROTECTED
#undef REAL_AND_PROT32
#undef EVERY_MODE

constexpr auto kAll = [] {
  std::array<Guest, std::size(kRows)> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Guest>(i);
  return all;
}();

const Row& row(Guest guest) { return kRows[static_cast<std::size_t>(guest)]; }

const Image& image(Guest guest, Mode mode) {
  if (mode == Mode::real) return row(guest).real;
  return mode == Mode::long64 ? row(guest).long64 : row(guest).prot32;
}

}  // namespace

const char* name(Guest guest) { return row(guest).name; }

std::span<const Guest> all_guests() { return kAll; }

std::span<const std::uint8_t> code(Guest guest, Mode mode) {
  const Image& found = image(guest, mode);
  return {found.begin, found.end};
}

std::vector<Mark> marks(Guest guest, Mode mode) {
  std::vector<Mark> found;
  const char* at = image(guest, mode).marks;
  while (at && *at) {
    const std::string_view mark_name(at);
    std::uint32_t offset;
    std::memcpy(&offset, at + mark_name.size() + 1, sizeof offset);
    found.push_back({mark_name, kLoad + offset});
    at += mark_name.size() + 1 + sizeof offset;
  }
  return found;
}

std::optional<std::uint64_t> mark(Guest guest, Mode mode, std::string_view mark_name) {
  for (const Mark& candidate : marks(guest, mode)) {
    if (candidate.name == mark_name) return candidate.address;
  }
  return std::nullopt;
}

}  // namespace guests
