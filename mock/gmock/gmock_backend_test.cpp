// The example of the README, and that the backend does what it says.
#include "mock/gmock/gmock_backend.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "kvmapi/system.hpp"
#include "kvmapi/vcpu.hpp"
#include "kvmapi/vm.hpp"

namespace mock {
namespace {

using kvmapi::Ioctl;
using testing::_;
using testing::InSequence;

// [readme]
// The code under test: a VMM that starts as many vcpus as it can get.
std::vector<kvmapi::Vcpu> start_vcpus(kvmapi::Vm& vm, unsigned wanted) {
  std::vector<kvmapi::Vcpu> vcpus;
  for (unsigned id = 0; id < wanted; ++id) {
    auto vcpu = vm.create_vcpu(id);
    if (!vcpu) break;
    vcpus.push_back(std::move(*vcpu));
  }
  return vcpus;
}

TEST(MyVmm, goes_on_with_two_vcpus_when_the_third_can_not_be_made) {
  GMockBackend kvm;
  EXPECT_CALL(kvm, ioctl(_, Request(Ioctl::CreateVcpu), _))
      .WillOnce(kvm.Delegate())
      .WillOnce(kvm.Delegate())
      .WillOnce(Fail(ENOMEM));

  auto system = kvmapi::System::open(kvm);
  auto vm = system->create_vm();
  EXPECT_EQ(start_vcpus(*vm, 4).size(), 2u);
}
// [readme]

TEST(GMockBackend, delegates_what_no_expectation_mentions) {
  GMockBackend kvm;
  auto system = kvmapi::System::open(kvm);
  ASSERT_TRUE(system.ok());
  EXPECT_EQ(*system->get_api_version(), 12);
}

TEST(GMockBackend, checks_the_order_of_calls) {
  GMockBackend kvm;
  {
    const InSequence in_this_order;
    EXPECT_CALL(kvm, open(_, _));
    EXPECT_CALL(kvm, ioctl(_, Request(Ioctl::GetApiVersion), _));
    EXPECT_CALL(kvm, ioctl(_, Request(Ioctl::CreateVm), _));
    EXPECT_CALL(kvm, close(_)).Times(2);
  }
  auto system = kvmapi::System::open(kvm);
  EXPECT_EQ(*system->get_api_version(), 12);
  auto vm = system->create_vm();
  EXPECT_TRUE(vm.ok());
}

TEST(GMockBackend, may_refuse_to_open) {
  GMockBackend kvm;
  EXPECT_CALL(kvm, open(_, _)).WillOnce(Fail(EACCES));
  EXPECT_EQ(kvmapi::System::open(kvm).error(), kvmapi::Errno{EACCES});
}

TEST(GMockBackend, answers_as_the_chosen_kernel) {
  GMockBackend kvm(MockOptions{.profile = "5.10"});
  EXPECT_EQ(kvm.name(), "mock (5.10)");
}

}  // namespace
}  // namespace mock
