// kvm-random: random guests on the mock and on a kernel's KVM, side by side. The only file here that knows the mock.
#include "conformance/random/command.hpp"
#include "mock/mock.hpp"

namespace {

std::unique_ptr<kvmapi::Backend> make_mock(const std::string& profile, std::string& error) {
  mock::MockOptions options;
  if (!profile.empty()) options.profile = profile;
  mock::MockResult mock = mock::make_mock(options);
  error = mock.error;
  return std::move(mock.backend);
}

}  // namespace

int main(int argc, char** argv) {
  return conformance::random::command(argc, argv, {.make_mock = make_mock, .profiles = mock::profile_names()});
}
