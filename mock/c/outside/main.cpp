#include <cstdio>

#include "kvmapi/system.hpp"
#include "mock/mock.hpp"

int main() {
  mock::MockResult kvm = mock::make_mock();
  if (!kvm) return 1;
  auto system = kvmapi::System::open(*kvm.backend);
  std::printf("API version %d\n", *system->get_api_version());
}
