// kvm-random: the command line.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kvmapi/backend.hpp"

namespace conformance::random {

struct CommandSetup {
  // A mock that answers as the profile; null with `error` set if there is none of that name.
  std::function<std::unique_ptr<kvmapi::Backend>(const std::string& profile, std::string& error)> make_mock;
  std::vector<std::string> profiles;
};

int command(int argc, char** argv, const CommandSetup& setup);

}  // namespace conformance::random
