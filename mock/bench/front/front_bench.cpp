// What the preload front adds: the same exit through open(2), ioctl(2) and mmap(2) as an unmodified program makes it,
// beside the mock linked into this process. Run it as `kvmmock -- bench_front`; without the launcher front/* measures
// the host's own KVM or fails.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "kvmapi/ioctl.hpp"
#include "kvmapi/system.hpp"
#include "mock/mock.hpp"

namespace bench {
namespace {

using namespace kvmapi;

// The C library as a backend: what a program written in C does.
class LibcBackend final : public Backend {
 public:
  Result<int> open(const char* path, int flags) override { return answer(::open(path, flags)); }
  Result<int> ioctl(int fd, u32 request, u64 argument) override { return answer(::ioctl(fd, request, argument)); }
  Result<void*> mmap(void* address, std::size_t length, int prot, int flags, int fd, off_t offset) override {
    void* mapping = ::mmap(address, length, prot, flags, fd, offset);
    if (mapping == MAP_FAILED) return err(errno);
    return mapping;
  }
  Result<void> munmap(void* address, std::size_t length) override {
    if (::munmap(address, length) != 0) return err(errno);
    return {};
  }
  Result<void> close(int fd) override {
    if (::close(fd) != 0) return err(errno);
    return {};
  }
  std::string name() const override { return "libc"; }

 private:
  static Result<int> answer(int result) {
    if (result < 0) return err(errno);
    return result;
  }
};

void exit_out(benchmark::State& state, Backend& backend) {
  constexpr std::size_t kBytes = 0x1000;
  auto* memory = static_cast<u8*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  constexpr u8 kOut[] = {0xe6, 0x10, 0xeb, 0xfc};  // out 0x10, al; jmp $-2
  std::memcpy(memory, kOut, sizeof kOut);
  auto system = System::open(backend);
  if (!system) return state.SkipWithError("no KVM here: run it as kvmmock -- bench_front");
  auto vm = system->create_vm();
  (void)vm->set_user_memory_region({0, 0, 0x1000, kBytes, reinterpret_cast<u64>(memory)});
  auto vcpu = vm->create_vcpu(0);
  kvm_sregs sregs = *vcpu->get_sregs();
  sregs.cs.base = sregs.cs.selector = 0;
  (void)vcpu->set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = 0x1000;
  regs.rflags = 2;
  (void)vcpu->set_regs(regs);
  for (auto _ : state) {
    if (!vcpu->run() || vcpu->exit_reason() != Exit::Io) return state.SkipWithError("unexpected exit");
  }
  munmap(memory, kBytes);
}

void front(benchmark::State& state) {
  LibcBackend libc;
  exit_out(state, libc);
}

void in_process(benchmark::State& state) {
  mock::MockOptions options;
  options.signals = mock::SignalPolicy::wrapped;
  const auto kvm = mock::make_mock(options);
  exit_out(state, *kvm.backend);
}

BENCHMARK(in_process)->Name("in_process/exit_out");
BENCHMARK(front)->Name("front/exit_out");

}  // namespace
}  // namespace bench
