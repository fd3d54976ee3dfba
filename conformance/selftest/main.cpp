// kvm-conformance-selftest: the real program with tests of known outcome on a fake KVM. e2e_test.cpp runs it.
#include "conformance/runner/program.hpp"
#include "conformance/support/fake_backend.hpp"

int main(int argc, char** argv) {
  conformance::ProgramSetup setup;
  setup.make_mock = [](const std::string& profile, std::string& error) -> std::optional<conformance::Implementation> {
    if (!profile.empty() && profile != "6.12") {
      error = "unknown profile '" + profile + "': there is 6.12";
      return std::nullopt;
    }
    conformance::Implementation fake;
    fake.target.name = "mock";
    fake.target.kernel = {6, 12, 0};
    fake.target.kernel_release = "6.12";
    fake.make_backend = [] { return std::make_unique<conformance::FakeBackend>(); };
    fake.is_kernel = false;
    fake.rerun_arguments = "--target mock";
    return fake;
  };
  setup.profiles = {"6.12"};
  setup.has_linked_in_expectations = false;
  return conformance::program(argc, argv, setup);
}
