// kvm-conformance: the rows of this folder, the runner, and the mock as a target. The only file here that knows the
// mock. Built a second time with KVM_WITH_DEFECTS as kvm-conformance-defects, where a profile may name a deliberate
// breakage of the mock ("6.12!api_version_is_13"): selftest/defects_test.cpp shows with it that the suite notices.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "conformance/runner/program.hpp"
#include "mock/mock.hpp"

namespace conformance {
namespace {

std::unique_ptr<kvmapi::Backend> make_mock_or_die(const mock::MockOptions& options) {
  mock::MockResult mock = mock::make_mock(options);
  if (!mock) {
    std::fprintf(stderr, "the mock cannot be made: %s\n", mock.error.c_str());
    std::abort();
  }
  return std::move(mock.backend);
}

// Cuts "!defect" off a profile's name. False with `error` set if there is no such defect.
[[maybe_unused]] bool take_defect(std::string& profile, mock::MockOptions& options, std::string& error) {
  const auto mark = profile.find('!');
  if (mark == std::string::npos) return true;
  const auto defect = mock::defect_from_name(profile.substr(mark + 1));
  if (!defect) {
    error = "unknown defect; there are:";
    for (const mock::DefectInfo& info : mock::defects()) error += fmt::format(" {}", info.name);
    return false;
  }
  options.defect = *defect;
  profile.erase(mark);
  return true;
}

std::optional<Implementation> make_mock(const std::string& arguments, std::string& error) {
  mock::MockOptions options;
  std::string profile_name = arguments;
#ifdef KVM_WITH_DEFECTS
  if (!take_defect(profile_name, options, error)) return std::nullopt;
#endif
  if (!profile_name.empty()) options.profile = profile_name;
  const mock::Profile* profile = mock::find_profile(options.profile);
  if (profile == nullptr) {
    error = mock::make_mock(options).error;
    return std::nullopt;
  }
  Implementation mock;
  mock.target.name = "mock";
  mock.target.kernel = {profile->kernel.major, profile->kernel.minor, 0};
  mock.target.kernel_release = mock.target.kernel.text();
  mock.make_backend = [options] { return make_mock_or_die(options); };
  mock.expectation_names = {"mock", "mock-" + options.profile};
  mock.is_kernel = false;
  mock.rerun_arguments = "--target mock" + (profile_name.empty() ? "" : " --profile " + profile_name);
  return mock;
}

}  // namespace
}  // namespace conformance

int main(int argc, char** argv) {
  conformance::ProgramSetup setup;
  setup.make_mock = conformance::make_mock;
  setup.profiles = mock::profile_names();
  return conformance::program(argc, argv, setup);
}
