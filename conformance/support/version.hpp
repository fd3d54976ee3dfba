// Version: a kernel release as conformance rows speak of it (6.9, 6.12.78). Ordered; a missing patch level is 0.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace conformance {

struct Version {
  int major = 0;
  int minor = 0;
  int patch = 0;

  friend constexpr auto operator<=>(const Version&, const Version&) = default;
  constexpr bool is_set() const { return major != 0; }

  // "6.12", or "6.12.78" where a patch level matters.
  std::string text() const;
  // The leading numbers of `uname -r` ("6.1.0-18-amd64" is 6.1.0); nothing if it does not start with two numbers.
  static std::optional<Version> parse(std::string_view release);
};

}  // namespace conformance
