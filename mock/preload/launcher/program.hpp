// Finds the program that a user named and says whether a preloaded library can reach it.
#pragma once

#include <optional>
#include <string>

namespace mock::preload {

// Where execvp(3) would find it; empty if nowhere.
std::optional<std::string> find_program(const std::string& name);

// Why LD_PRELOAD would not work for this program, in words that say what to do instead; empty if it works. Follows
// "#!".
std::optional<std::string> why_unreachable(const std::string& path);

}  // namespace mock::preload
