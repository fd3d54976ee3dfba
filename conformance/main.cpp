// kvm-conformance: the rows of this folder, the runner, and the mock as a target. The only file here that knows the
// mock.
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

std::optional<Implementation> make_mock(const std::string& profile_name, std::string& error) {
  mock::MockOptions options;
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
