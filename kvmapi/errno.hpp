// Errno: an error number that prints as the manual spells it ("EINVAL").
#pragma once

#include <compare>
#include <string_view>

namespace kvmapi {

class Errno {
 public:
  constexpr Errno() = default;
  constexpr explicit Errno(int value) : value_(value) {}

  constexpr int value() const { return value_; }
  // "EINVAL", or "errno 4095" for a number without a name on Linux x86-64.
  std::string_view name() const;
  // The number for "EINVAL"; 0 if there is no such name.
  static Errno from_name(std::string_view name);

  friend constexpr auto operator<=>(Errno, Errno) = default;

 private:
  int value_ = 0;
};

}  // namespace kvmapi
