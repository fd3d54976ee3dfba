// Descriptors that are closed, run and inherited while other threads use them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "kvmapi/exit.hpp"
#include "kvmapi/ioctl.hpp"
#include "kvmapi/uapi/all.hpp"
#include "mock/mock.hpp"

namespace mock {
namespace {

using namespace kvmapi;

// The run pages of vcpus that exist in this process.
int mapped_vcpus() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("memfd:kvm-vcpu") != std::string::npos;
  return count;
}

class Races : public testing::Test {
 protected:
  static constexpr std::size_t kMemoryBytes = 0x10000;

  void SetUp() override {
    MockResult made = make_mock({.profile = "6.12", .signals = SignalPolicy::wrapped});
    ASSERT_TRUE(made) << made.error;
    backend_ = std::move(made.backend);
    system_ = *backend_->open("/dev/kvm", O_RDWR | O_CLOEXEC);
    memory_ = static_cast<u8*>(mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
  }
  void TearDown() override {
    backend_.reset();
    munmap(memory_, kMemoryBytes);
  }
  template <class T>
  Result<int> call(int fd, Ioctl ioctl, T& argument) {
    return backend_->ioctl(fd, number(ioctl), reinterpret_cast<u64>(&argument));
  }
  Result<int> call(int fd, Ioctl ioctl) { return backend_->ioctl(fd, number(ioctl), 0); }
  // A vcpu in real mode at address 0x1000 with `code` there.
  int make_vcpu(int vm, std::initializer_list<u8> code) {
    std::memcpy(memory_ + 0x1000, code.begin(), code.size());
    kvm_userspace_memory_region region{0, 0, 0, kMemoryBytes, reinterpret_cast<u64>(memory_)};
    EXPECT_TRUE(call(vm, Ioctl::SetUserMemoryRegion, region));
    const int vcpu = *call(vm, Ioctl::CreateVcpu);
    kvm_sregs sregs;
    EXPECT_TRUE(call(vcpu, Ioctl::GetSregs, sregs));
    sregs.cs.base = sregs.cs.selector = 0;
    EXPECT_TRUE(call(vcpu, Ioctl::SetSregs, sregs));
    kvm_regs regs{};
    regs.rip = 0x1000;
    regs.rflags = 2;
    EXPECT_TRUE(call(vcpu, Ioctl::SetRegs, regs));
    return vcpu;
  }

  std::unique_ptr<Backend> backend_;
  int system_ = -1;
  u8* memory_ = nullptr;
};

TEST_F(Races, a_descriptor_is_closed_and_made_anew_while_threads_use_its_number) {
  std::atomic<bool> done{false};
  std::atomic<int> vm{-1}, vcpu{-1};
  std::atomic<u64> answers{0};
  std::vector<std::thread> users;
  for (int i = 0; i < 2; ++i) {
    users.emplace_back([&] {
      while (!done) {
        kvm_regs regs{};
        const Result<int> got = call(vcpu, Ioctl::GetRegs, regs);
        if (got) {
          ASSERT_EQ(regs.rip, 0xfff0u);
          ++answers;
        } else {
          // The number may meanwhile be a vm's or nobody's.
          const int error = got.error().value();
          ASSERT_TRUE(error == EBADF || error == ENOTTY || error == EINVAL) << error;
        }
        const Result<int> version = call(vm, Ioctl::CheckExtension);
        if (!version) {
          const int error = version.error().value();
          ASSERT_TRUE(error == EBADF || error == ENOTTY || error == EINVAL) << error;
        }
      }
    });
  }
  for (int round = 0; round < 40; ++round) {
    vm = *call(system_, Ioctl::CreateVm);
    vcpu = *call(vm, Ioctl::CreateVcpu);
    for (const u64 before = answers; answers < before + 3;) std::this_thread::yield();
    ASSERT_TRUE(backend_->close(vcpu));
    ASSERT_TRUE(backend_->close(vm));
  }
  done = true;
  for (std::thread& user : users) user.join();
  EXPECT_EQ(mapped_vcpus(), 0) << "the last user of a closed vcpu ends it";
}

TEST_F(Races, two_threads_run_one_vcpu_in_turns) {
  const int vm = *call(system_, Ioctl::CreateVm);
  // again: inc word [0x8000]; out 0x10, al; jmp again
  const int vcpu = make_vcpu(vm, {0xff, 0x06, 0x00, 0x80, 0xe6, 0x10, 0xeb, 0xf8});
  constexpr int kRuns = 5000;
  std::vector<std::thread> runners;
  for (int i = 0; i < 2; ++i) {
    runners.emplace_back([&] {
      for (int run = 0; run < kRuns; ++run) {
        ASSERT_TRUE(call(vcpu, Ioctl::Run));
        if (run % 100 == 0) std::this_thread::yield();
      }
    });
  }
  kvm_regs regs{};
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(call(vcpu, Ioctl::GetRegs, regs));
    ASSERT_TRUE(regs.rip == 0x1000 || regs.rip == 0x1004) << "before the first run, or an OUT waits for its completion";
    if (i == 0) std::this_thread::yield();
  }
  for (std::thread& runner : runners) runner.join();
  u16 count;
  std::memcpy(&count, memory_ + 0x8000, sizeof count);
  EXPECT_EQ(count, 2 * kRuns);
}

TEST_F(Races, a_vcpu_closed_while_it_runs_ends_with_its_run) {
  const int vm = *call(system_, Ioctl::CreateVm);
  // again: inc word [0x8000]; cmp word [0x9000], 0; jz again; hlt
  const int vcpu = make_vcpu(vm, {0xff, 0x06, 0x00, 0x80, 0x83, 0x3e, 0x00, 0x90, 0x00, 0x74, 0xf5, 0xf4});
  std::thread runner([&] { EXPECT_TRUE(call(vcpu, Ioctl::Run)); });
  while (__atomic_load_n(reinterpret_cast<u16*>(memory_ + 0x8000), __ATOMIC_RELAXED) == 0) std::this_thread::yield();
  EXPECT_TRUE(backend_->close(vcpu));
  EXPECT_TRUE(backend_->close(vm));
  EXPECT_EQ(call(vcpu, Ioctl::GetMpState).error().value(), EBADF);
  EXPECT_EQ(mapped_vcpus(), 1);
  __atomic_store_n(memory_ + 0x9000, 1, __ATOMIC_RELAXED);
  runner.join();
  EXPECT_EQ(mapped_vcpus(), 0);
}

TEST_F(Races, the_child_of_a_fork_does_not_wait_for_threads_it_has_not) {
  const int vm = *call(system_, Ioctl::CreateVm);
  const int vcpu = make_vcpu(vm, {0xff, 0x06, 0x00, 0x80, 0x83, 0x3e, 0x00, 0x90, 0x00, 0x74, 0xf5, 0xf4});
  std::thread runner([&] { EXPECT_TRUE(call(vcpu, Ioctl::Run)); });
  while (__atomic_load_n(reinterpret_cast<u16*>(memory_ + 0x8000), __ATOMIC_RELAXED) == 0) std::this_thread::yield();
  const pid_t child = ::fork();
  if (child == 0) {
    // The parent still has both; here they are gone when they are closed.
    const bool right = call(vcpu, Ioctl::Run).error().value() == EIO && backend_->close(vcpu) && backend_->close(vm) &&
                       call(vcpu, Ioctl::Run).error().value() == EBADF;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  __atomic_store_n(memory_ + 0x9000, 1, __ATOMIC_RELAXED);
  runner.join();
}

}  // namespace
}  // namespace mock
