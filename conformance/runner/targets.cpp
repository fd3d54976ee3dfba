// Targets by name. See targets.hpp.
#include "conformance/runner/targets.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "conformance/support/expectations.hpp"
#include "kvmapi/kernel_backend.hpp"

namespace conformance {
namespace {

// "kvm", and "kvm-amd" where the module kvm_amd drives the device, if there is a file of that name.
std::vector<std::string> expectations_of_host() {
  std::vector<std::string> names = {"kvm"};
  for (const std::string_view name : linked_in_expectation_names()) {
    if (!name.starts_with("kvm-")) continue;
    const std::string module = fmt::format("/sys/module/kvm_{}", name.substr(4));
    if (::access(module.c_str(), F_OK) == 0) names.emplace_back(name);
  }
  return names;
}

}  // namespace

Implementation kernel_implementation(const std::string& name, const std::string& device) {
  utsname system{};
  ::uname(&system);
  Implementation implementation;
  implementation.target.name = name;
  implementation.target.device = device;
  implementation.target.kernel_release = system.release;
  implementation.target.kernel = Version::parse(system.release).value_or(Version{});
  implementation.make_backend = [] { return std::make_unique<kvmapi::KernelBackend>(); };
  implementation.expectation_names = expectations_of_host();
  implementation.rerun_arguments = "--target " + name;
  return implementation;
}

std::optional<Implementation> implementation_for(const std::string& target, const std::string& profile,
                                                 const ProgramSetup& setup, std::string& error) {
  if (target == "mock") {
    if (!setup.make_mock) {
      error = "this program was built without the mock";
      return std::nullopt;
    }
    return setup.make_mock(profile, error);
  }
  if (target == "kvm") return kernel_implementation("kvm", "/dev/kvm");
  if (target.find('/') != std::string::npos) return kernel_implementation(target, target);
  error = fmt::format("unknown target '{}': it is mock, kvm or the path of a device", target);
  return std::nullopt;
}

}  // namespace conformance
