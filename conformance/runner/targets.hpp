// From `--target` to an implementation.
#pragma once

#include <optional>
#include <string>

#include "conformance/runner/implementation.hpp"
#include "conformance/runner/program.hpp"

namespace conformance {

// "mock", "kvm", or the path of a device. nullopt with `error` set when that is none of them.
std::optional<Implementation> implementation_for(const std::string& target, const std::string& profile,
                                                 const ProgramSetup& setup, std::string& error);

// The kernel's KVM behind a device, as the running kernel.
Implementation kernel_implementation(const std::string& name, const std::string& device);

}  // namespace conformance
