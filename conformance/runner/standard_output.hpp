// Printing where a failure to print is not overlooked.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "conformance/runner/program.hpp"

namespace conformance {

// kAsExpected, or kBroken after a message when standard output does not take it (a full disk, a reader that went away).
inline int print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return kAsExpected;
  fmt::print(stderr, "kvm-conformance: cannot write to standard output: {}\n", std::strerror(errno));
  return kBroken;
}

}  // namespace conformance
