// Targets by name. See targets.hpp.
#include "conformance/runner/targets.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>

#include "kvmapi/kernel_backend.hpp"

namespace conformance {
namespace {

// "kvm_intel" and the like: every module of the kernel that stands behind KVM.
std::vector<std::string> kvm_modules() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/module", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("kvm_")) found.push_back(name);
  }
  std::ranges::sort(found);
  return found;
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
  implementation.expectation_names = {"kvm"};
  for (const std::string& module : kvm_modules()) {
    implementation.modules += (implementation.modules.empty() ? "" : ", ") + module;
    implementation.expectation_names.push_back("kvm-" + module.substr(4));
  }
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
