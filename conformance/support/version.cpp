// Version: reading and printing. See version.hpp.
#include "conformance/support/version.hpp"

#include <fmt/format.h>

#include <charconv>

namespace conformance {

std::string Version::text() const {
  return patch == 0 ? fmt::format("{}.{}", major, minor) : fmt::format("{}.{}.{}", major, minor, patch);
}

std::optional<Version> Version::parse(std::string_view release) {
  int numbers[3] = {0, 0, 0};
  const char* at = release.data();
  const char* end = release.data() + release.size();
  for (int i = 0; i < 3; ++i) {
    if (i > 0) {
      if (at == end || *at != '.') break;
      ++at;
    }
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc{}) {
      if (i < 2) return std::nullopt;
      break;
    }
    at = next;
    if (i == 0 && (at == end || *at != '.')) return std::nullopt;
  }
  return Version{numbers[0], numbers[1], numbers[2]};
}

}  // namespace conformance
