// What a session is set up with, and its way through the environment from the launcher to the preloaded library.
#pragma once

#include <string>
#include <vector>

namespace mock::preload {

struct Settings {
  std::string device = "/dev/kvm";    // KVMMOCK_DEVICE: the path that is served
  std::string backend = "mock";       // KVMMOCK_BACKEND: "mock", or the path of a real device
  std::string profile;                // KVMMOCK_PROFILE: which kernel the mock answers as; empty: the mock's default
  std::string trace;                  // KVMMOCK_TRACE: file, "-" for standard error; empty: no trace
  std::string trace_format = "text";  // KVMMOCK_TRACE_FORMAT: "text" or "json"
};

void to_environment(const Settings& settings);
Settings from_environment();

// What is wrong with them, saying what would be right; empty if nothing.
std::string why_wrong(const Settings& settings);

std::vector<std::string> profile_names();

}  // namespace mock::preload
