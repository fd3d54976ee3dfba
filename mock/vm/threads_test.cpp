// Several threads at one VM: slots change and dirty logs are read while a vcpu runs, signals and interrupts end its
// sleep.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "kvmapi/exit.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {
namespace {

constexpr u64 kMemoryBytes = 0x10000;

class Threads : public testing::TestWithParam<SignalPolicy> {
 protected:
  void SetUp() override {
    struct sigaction action {};
    action.sa_handler = [](int) { note_signal(); };
    sigaction(SIGUSR1, &action, nullptr);
    memory_ = static_cast<u8*>(mmap(nullptr, kMemoryBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory_, MAP_FAILED);
    vm_ = *System({.profile = find_profile("6.12"), .signals = GetParam()}).make_vm(0);
  }
  void TearDown() override {
    vm_.reset();
    munmap(memory_, kMemoryBytes);
    signal(SIGUSR1, SIG_DFL);
  }
  Result<int> set_slot(u32 slot, u64 gpa, u64 bytes, u32 flags = 0) {
    return vm_->set_user_memory_region({.slot = slot,
                                        .flags = flags,
                                        .guest_phys_addr = gpa,
                                        .memory_size = bytes,
                                        .userspace_addr = reinterpret_cast<u64>(memory_)});
  }
  // A vcpu in real mode at address 0x1000 with `code` there.
  Vcpu& make_vcpu(std::initializer_list<u8> code) {
    std::memcpy(memory_ + 0x1000, code.begin(), code.size());
    Vcpu& vcpu = **vm_->make_vcpu(0, RunPages::in_heap());
    kvm_sregs sregs = *vcpu.get_sregs();
    sregs.cs.base = sregs.cs.selector = 0;
    EXPECT_TRUE(vcpu.set_sregs(sregs));
    kvm_regs regs{};
    regs.rip = 0x1000;
    regs.rflags = 2;
    EXPECT_TRUE(vcpu.set_regs(regs));
    return vcpu;
  }

  u8* memory_ = nullptr;
  std::shared_ptr<Vm> vm_;
};

TEST_P(Threads, slots_and_dirty_logs_change_under_a_running_vcpu) {
  ASSERT_TRUE(set_slot(0, 0, kMemoryBytes, kMemLogDirtyPages));
  // again: inc word [0x8000]; jmp again
  Vcpu& vcpu = make_vcpu({0xff, 0x06, 0x00, 0x80, 0xeb, 0xfa});
  std::atomic<bool> done{false};
  int error = 0;
  std::thread runner([&] {
    error = vcpu.run(0).error().value();
    done = true;
  });
  const auto counter = [&] { return __atomic_load_n(reinterpret_cast<u16*>(memory_ + 0x8000), __ATOMIC_RELAXED); };
  u64 seen = 0;
  int reports = 0;
  for (int i = 0; i < 50; ++i) {
    // Until the guest has written since the last report.
    const u16 before = counter();
    while (counter() == before) std::this_thread::yield();
    ASSERT_TRUE(set_slot(1, 0x100000, 0x1000));
    u64 bits = 0;
    ASSERT_TRUE(vm_->get_dirty_log({.slot = 0, .padding1 = 0, .dirty_bitmap = reinterpret_cast<u64>(&bits)}));
    seen |= bits;
    reports += bits != 0;
    ASSERT_TRUE(set_slot(1, 0x100000, 0));
  }
  while (!done) {
    pthread_kill(runner.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  runner.join();
  EXPECT_EQ(error, EINTR);
  EXPECT_EQ(vcpu.run_page().exit_reason, static_cast<u32>(Exit::Intr));
  EXPECT_EQ(seen & ~u64{1 << 8}, 0u) << "only the page of the counter is written";
  EXPECT_EQ(reports, 50) << "a page written after a report is in the next one";
}

TEST_P(Threads, a_signal_ends_the_sleep_of_a_halted_vcpu_every_time) {
  ASSERT_TRUE(vm_->create_irqchip());
  ASSERT_TRUE(set_slot(0, 0, kMemoryBytes));
  Vcpu& vcpu = make_vcpu({0xf4});
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> is_running{false}, done{false};
    int error = 0;
    std::thread runner([&] {
      is_running = true;
      error = vcpu.run(0).error().value();
      done = true;
    });
    while (!is_running) std::this_thread::yield();
    for (int spin = 0; spin < i * 50; ++spin) __builtin_ia32_pause();
    // A signal before the call is not this run's: keep sending.
    while (!done) {
      pthread_kill(runner.native_handle(), SIGUSR1);
      std::this_thread::yield();
    }
    runner.join();
    ASSERT_EQ(error, EINTR);
  }
}

TEST_P(Threads, an_interrupt_wakes_a_halted_vcpu) {
  ASSERT_TRUE(vm_->create_irqchip());
  ASSERT_TRUE(set_slot(0, 0, kMemoryBytes));
  // sti; hlt; the handler of vector 0x20 at 0x2000 writes to port 0x10.
  Vcpu& vcpu = make_vcpu({0xfb, 0xf4, 0xf4});
  const u8 handler[] = {0xe6, 0x10, 0xf4};
  std::memcpy(memory_ + 0x2000, handler, sizeof handler);
  const u16 vector[] = {0x2000, 0};
  std::memcpy(memory_ + 4 * 0x20, vector, sizeof vector);
  kvm_sregs sregs = *vcpu.get_sregs();
  sregs.idt = {.base = 0, .limit = 0x3ff, .padding = {}};
  sregs.ss.base = 0;
  ASSERT_TRUE(vcpu.set_sregs(sregs));
  kvm_regs regs = *vcpu.get_regs();
  regs.rsp = 0x4000;
  ASSERT_TRUE(vcpu.set_regs(regs));
  ASSERT_TRUE(vcpu.lapic()->write(devices::kApicSpurious, 0x1ff));

  std::thread sender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(
        *vm_->signal_msi({.address_lo = 0xfee00000, .address_hi = 0, .data = 0x20, .flags = 0, .devid = 0, .pad = {}}),
        1);
  });
  EXPECT_TRUE(vcpu.run(0));
  sender.join();
  EXPECT_EQ(vcpu.run_page().exit_reason, static_cast<u32>(Exit::Io));
  EXPECT_EQ(vcpu.run_page().exit.as<kvm_exit_io>().port, 0x10);
}

INSTANTIATE_TEST_SUITE_P(Policies, Threads, testing::Values(SignalPolicy::block, SignalPolicy::wrapped));

}  // namespace
}  // namespace mock::vm
