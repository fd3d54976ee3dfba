#include "mock/mock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "kvmapi/exit.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/system.hpp"
#include "kvmapi/uapi/all.hpp"

namespace mock {
namespace {

using kvmapi::Ioctl;

class MockBackend : public testing::Test {
 protected:
  void SetUp() override {
    MockResult made = make_mock({.profile = "6.12"});
    ASSERT_TRUE(made) << made.error;
    backend_ = std::move(made.backend);
    system_ = *backend_->open("/dev/kvm", O_RDWR | O_CLOEXEC);
  }
  Result<int> call(int fd, Ioctl ioctl, u64 argument = 0) { return backend_->ioctl(fd, number(ioctl), argument); }
  int make_vm() { return *call(system_, Ioctl::CreateVm); }

  std::unique_ptr<kvmapi::Backend> backend_;
  int system_ = -1;
};

TEST_F(MockBackend, other_paths_do_not_exist) {
  EXPECT_EQ(backend_->open("/dev/null", O_RDWR).error().value(), ENOENT);
}

TEST_F(MockBackend, an_unknown_profile_is_an_error_that_lists_the_known_ones) {
  const MockResult made = make_mock({.profile = "3.2"});
  EXPECT_FALSE(made);
  EXPECT_NE(made.error.find("6.12"), std::string::npos) << made.error;
}

TEST_F(MockBackend, a_random_source_that_is_none_is_an_error_that_lists_the_valid_ones) {
  EXPECT_TRUE(make_mock({.random = "host"}));
  EXPECT_TRUE(make_mock({.random = "12345"}));
  for (const char* wrong : {"hosts", "-1", "12x"}) {
    const MockResult made = make_mock({.random = wrong});
    EXPECT_FALSE(made) << wrong;
    EXPECT_NE(made.error.find("\"host\""), std::string::npos) << made.error;
  }
}

// FXRSTOR from a device wants more answers than the CPU keeps.
TEST_F(MockBackend, an_instruction_that_is_not_modelled_is_named_in_the_log) {
  const std::string log = testing::TempDir() + "kvmmock_mock_test.log";
  std::remove(log.c_str());
  {
    const MockResult made = make_mock({.log = log});
    auto system = kvmapi::System::open(*made.backend);
    auto made_vm = system.value().create_vm();
    const kvmapi::Vm& vm = made_vm.value();
    auto made_vcpu = vm.create_vcpu(0);
    const kvmapi::Vcpu& vcpu = made_vcpu.value();
    alignas(4096) static u8 page[4096] = {0x0f, 0xae, 0x0e, 0x00, 0xd0};  // fxrstor [0xd000]
    ASSERT_TRUE(vm.set_user_memory_region(
        {.guest_phys_addr = 0, .memory_size = sizeof page, .userspace_addr = reinterpret_cast<u64>(page)}));
    kvmapi::kvm_sregs sregs = *vcpu.get_sregs();
    sregs.cs.base = sregs.cs.selector = 0;
    ASSERT_TRUE(vcpu.set_sregs(sregs));
    ASSERT_TRUE(vcpu.set_regs({.rip = 0, .rflags = 2}));
    do ASSERT_TRUE(vcpu.run());
    while (static_cast<kvmapi::Exit>(vcpu.page().exit_reason) == kvmapi::Exit::Mmio);
    EXPECT_EQ(static_cast<kvmapi::Exit>(vcpu.page().exit_reason), kvmapi::Exit::InternalError);
  }
  std::stringstream text;
  text << std::ifstream(log).rdbuf();
  EXPECT_NE(text.str().find("fxrstor [0xD000] (0f ae 0e 00 d0"), std::string::npos) << text.str();
  std::remove(log.c_str());
}

TEST_F(MockBackend, unknown_numbers_have_the_errno_of_their_kind_of_descriptor) {
  const int vm = make_vm(), vcpu = *call(vm, Ioctl::CreateVcpu);
  EXPECT_EQ(backend_->ioctl(system_, 0xaeff, 0).error().value(), EINVAL);
  EXPECT_EQ(backend_->ioctl(vm, 0xaeff, 0).error().value(), ENOTTY);
  EXPECT_EQ(backend_->ioctl(vcpu, 0xaeff, 0).error().value(), EINVAL);
  EXPECT_EQ(backend_->ioctl(9999, 0xaeff, 0).error().value(), EBADF);
  EXPECT_EQ(backend_->ioctl(STDIN_FILENO, 0xae00, 0).error().value(), ENOTTY);
}

TEST_F(MockBackend, a_duplicate_made_behind_its_back_works_and_keeps_the_vm) {
  const int vm = make_vm();
  const int copy = ::dup(vm);
  ASSERT_TRUE(backend_->close(vm));
  EXPECT_EQ(backend_->ioctl(vm, number(Ioctl::CreateVcpu), 0).error().value(), EBADF);
  EXPECT_TRUE(call(copy, Ioctl::CreateVcpu));
  EXPECT_TRUE(backend_->close(copy));
}

TEST_F(MockBackend, a_duplicate_of_the_device_outlives_the_original) {
  const int copy = ::dup(system_);
  ASSERT_TRUE(backend_->close(system_));
  EXPECT_EQ(call(system_, Ioctl::GetApiVersion).error().value(), EBADF);
  EXPECT_EQ(*call(copy, Ioctl::GetApiVersion), 12);
  EXPECT_TRUE(call(copy, Ioctl::CreateVm));
  EXPECT_TRUE(backend_->close(copy));
  EXPECT_EQ(::fcntl(copy, F_GETFD), -1);
}

TEST_F(MockBackend, a_file_of_the_users_or_of_another_mock_is_not_the_device) {
  const int own = ::memfd_create("kvm", MFD_CLOEXEC);
  EXPECT_EQ(call(own, Ioctl::GetApiVersion).error().value(), ENOTTY);
  ::close(own);
  const MockResult other = make_mock({.profile = "6.12"});
  const int theirs = *other.backend->open("/dev/kvm", O_RDWR | O_CLOEXEC);
  EXPECT_EQ(call(theirs, Ioctl::GetApiVersion).error().value(), ENOTTY);
  EXPECT_EQ(*other.backend->ioctl(theirs, number(Ioctl::GetApiVersion), 0), 12);
}

TEST_F(MockBackend, closes_descriptors_of_statistics_too) {
  const int stats = *call(make_vm(), Ioctl::GetStatsFd);
  EXPECT_TRUE(backend_->close(stats));
  EXPECT_EQ(::fcntl(stats, F_GETFD), -1);
  EXPECT_EQ(backend_->close(stats).error().value(), EBADF);
}

TEST_F(MockBackend, a_vcpu_outlives_the_descriptor_of_its_vm) {
  const int vm = make_vm(), vcpu = *call(vm, Ioctl::CreateVcpu);
  ASSERT_TRUE(backend_->close(vm));
  kvm_regs regs{};
  EXPECT_TRUE(call(vcpu, Ioctl::GetRegs, reinterpret_cast<u64>(&regs)));
  EXPECT_EQ(regs.rip, 0xfff0u);
  EXPECT_TRUE(backend_->close(vcpu));
}

TEST_F(MockBackend, the_run_pages_are_shared_with_a_native_mapping) {
  const int vm = make_vm(), vcpu = *call(vm, Ioctl::CreateVcpu);
  void* mapping = ::mmap(nullptr, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  static_cast<kvm_run*>(mapping)->immediate_exit = 1;
  EXPECT_EQ(call(vcpu, Ioctl::Run).error().value(), EINTR);
  EXPECT_EQ(static_cast<kvm_run*>(mapping)->apic_base, 0xfee00900u);
  ::munmap(mapping, 12288);
}

TEST_F(MockBackend, the_child_of_a_fork_gets_eio_and_can_close) {
  const int vm = make_vm(), vcpu = *call(vm, Ioctl::CreateVcpu);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool right = call(vm, Ioctl::CheckExtension).error().value() == EIO &&
                       call(vcpu, Ioctl::Run).error().value() == EIO && call(system_, Ioctl::GetApiVersion).ok() &&
                       backend_->close(vm).ok();
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(call(vm, Ioctl::CheckExtension, 3));
}

}  // namespace
}  // namespace mock
