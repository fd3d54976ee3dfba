// The KVM API as a VMM pays for it: exit round trips, register ioctls, the life of a small VM; on the mock (both signal
// policies) and on the host's KVM side by side. The yardstick is a bare failing ioctl(2): calls and yardstick take
// turns in short rounds, `of_syscall` is the median of their ratios.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "kvmapi/kernel_backend.hpp"
#include "kvmapi/system.hpp"
#include "mock/bench/beside_syscall.hpp"
#include "mock/mock.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace bench {
namespace {

using namespace kvmapi;

constexpr u64 kCode = 0x1000, kMemoryBytes = 0x10000;

// Real-mode loops with one exit each.
constexpr u8 kOut[] = {0xe6, 0x10, 0xeb, 0xfc};               // out 0x10, al; jmp $-2
constexpr u8 kHlt[] = {0xf4, 0xeb, 0xfd};                     // hlt; jmp $-1
constexpr u8 kMmio[] = {0x65, 0xa2, 0x00, 0x00, 0xeb, 0xfa};  // mov gs:[0], al; jmp $-4
constexpr u8 kTenToHlt[] = {0x31, 0xc0, 0x40, 0x40, 0x89, 0xc3, 0x01, 0xc3,
                            0x29, 0xd9, 0x21, 0xca, 0x09, 0xde, 0x90, 0xf4};

struct Memory {
  explicit Memory(std::size_t size) : bytes(size) {
    address = static_cast<u8*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  ~Memory() { munmap(address, bytes); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  std::size_t bytes;
  u8* address;
};

kvm_userspace_memory_region region(u32 slot, u64 gpa, const Memory& memory) {
  return {slot, 0, gpa, memory.bytes, reinterpret_cast<u64>(memory.address)};
}

void start_at_code(Vcpu& vcpu) {
  kvm_sregs sregs = *vcpu.get_sregs();
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  sregs.gs.base = 0x80000;  // behind the slot: MMIO
  (void)vcpu.set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rflags = 2;
  (void)vcpu.set_regs(regs);
}

// A world to measure in; `backend` stays empty where it is not available.
struct World {
  const char* name;
  std::unique_ptr<Backend> (*make)();
  int calls_per_round = 2000;
};

std::unique_ptr<Backend> make_mock_with(mock::SignalPolicy signals) {
  mock::MockOptions options;
  options.signals = signals;
  return std::move(mock::make_mock(options).backend);
}

const World kWorlds[] = {
    {"mock", [] { return make_mock_with(mock::SignalPolicy::wrapped); }},
    {"mock_blocking_signals", [] { return make_mock_with(mock::SignalPolicy::block); }},
    {"kvm",
     []() -> std::unique_ptr<Backend> {
       auto kernel = std::make_unique<KernelBackend>();
       auto fd = kernel->open("/dev/kvm", O_RDWR | O_CLOEXEC);
       if (!fd) return nullptr;
       (void)kernel->close(*fd);
       return kernel;
     },
     50},
};

// A vcpu about to run `code`, with its VM.
class Machine {
 public:
  Machine(Backend& backend, const u8* code, std::size_t code_bytes) : memory_(kMemoryBytes) {
    std::memcpy(memory_.address + kCode, code, code_bytes);
    system_ = std::move(*System::open(backend));
    vm_ = std::move(*system_.create_vm());
    (void)vm_.set_user_memory_region(region(0, 0, memory_));
    vcpu_ = std::move(*vm_.create_vcpu(0));
    start_at_code(vcpu_);
  }
  Vcpu& vcpu() { return vcpu_; }
  Vm& vm() { return vm_; }

 private:
  Memory memory_;
  System system_;
  Vm vm_;
  Vcpu vcpu_;
};

template <std::size_t n>
void exits(benchmark::State& state, const World& world, const u8 (&code)[n], Exit expected) {
  const auto backend = world.make();
  if (!backend) return state.SkipWithError("not available here");
  Machine machine(*backend, code, n);
  beside_syscall(state, world.calls_per_round,
                 [&] { return machine.vcpu().run() && machine.vcpu().exit_reason() == expected; });
}

// An ioctl that fills a T.
template <class T>
void get(benchmark::State& state, const World& world, Ioctl request) {
  const auto backend = world.make();
  if (!backend) return state.SkipWithError("not available here");
  Machine machine(*backend, kHlt, sizeof kHlt);
  T value;
  beside_syscall(state, world.calls_per_round, [&] { return machine.vcpu().raw(request, &value).ok(); });
}

void create_run_destroy(benchmark::State& state, const World& world) {
  const auto backend = world.make();
  if (!backend) return state.SkipWithError("not available here");
  for (auto _ : state) {
    Machine machine(*backend, kTenToHlt, sizeof kTenToHlt);
    if (!machine.vcpu().run() || machine.vcpu().exit_reason() != Exit::Hlt)
      return state.SkipWithError("unexpected exit");
  }
}

// The mock's own part: its objects without descriptors, and memory that is there already.
void create_run_destroy_objects(benchmark::State& state) {
  const Memory memory(kMemoryBytes);
  std::memcpy(memory.address + kCode, kTenToHlt, sizeof kTenToHlt);
  mock::Diagnostics diagnostics("");
  const mock::vm::Context context{.profile = mock::find_profile(mock::kDefaultProfile),
                                  .signals = mock::SignalPolicy::wrapped,
                                  .diagnostics = &diagnostics};
  mock::vm::System system(context);
  for (auto _ : state) {
    auto vm = std::make_shared<mock::vm::Vm>(context);
    (void)vm->set_user_memory_region(region(0, 0, memory));
    mock::vm::Vcpu& vcpu = **vm->make_vcpu(0, mock::vm::RunPages::in_heap());
    kvm_sregs sregs = *vcpu.get_sregs();
    sregs.cs.base = sregs.cs.selector = 0;
    (void)vcpu.set_sregs(sregs);
    kvm_regs regs{};
    regs.rip = kCode;
    regs.rflags = 2;
    (void)vcpu.set_regs(regs);
    if (!vcpu.run(0) || vcpu.run_page().exit_reason != 5) return state.SkipWithError("unexpected exit");
  }
}

void failing_ioctl(benchmark::State& state) {
  const int fd = eventfd(0, EFD_CLOEXEC);
  for (auto _ : state) call_in_vain(fd);
  close(fd);
}

// --- That an exit costs the same whatever the size of the VM.

void exits_with_slots(benchmark::State& state) {
  const auto backend = kWorlds[0].make();
  Machine machine(*backend, kOut, sizeof kOut);
  const Memory page(0x1000);
  for (u32 slot = 1; slot < static_cast<u32>(state.range(0)); ++slot) {
    (void)machine.vm().set_user_memory_region(region(slot, 0x100000 + u64{slot} * 0x2000, page));
  }
  for (auto _ : state) (void)machine.vcpu().run();
}

void exits_with_vcpus(benchmark::State& state) {
  const auto backend = kWorlds[0].make();
  Machine machine(*backend, kOut, sizeof kOut);
  std::vector<Vcpu> others;
  for (u32 id = 1; id < static_cast<u32>(state.range(0)); ++id)
    others.push_back(std::move(*machine.vm().create_vcpu(id)));
  for (auto _ : state) (void)machine.vcpu().run();
}

void exits_with_memory(benchmark::State& state) {
  const auto backend = kWorlds[0].make();
  Machine machine(*backend, kOut, sizeof kOut);
  const Memory memory(static_cast<std::size_t>(state.range(0)) << 20);
  (void)machine.vm().set_user_memory_region(region(1, u64{1} << 32, memory));
  for (auto _ : state) (void)machine.vcpu().run();
}

BENCHMARK(failing_ioctl)->Name("syscall/failing_ioctl");
BENCHMARK(create_run_destroy_objects)->Name("vm/create_run_destroy/objects_only");
BENCHMARK(exits_with_slots)->Name("scale/exit_out/slots")->Arg(1)->Arg(100)->Arg(10000)->Arg(32000);
BENCHMARK(exits_with_vcpus)->Name("scale/exit_out/vcpus")->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(exits_with_memory)->Name("scale/exit_out/memory_mib")->Arg(1)->Arg(1024)->Arg(16384);

const bool kRegistered = [] {
  for (const World& world : kWorlds) {
    const auto add = [&world](const std::string& name, auto function) {
      return benchmark::RegisterBenchmark((name + "/" + world.name).c_str(), function);
    };
    const auto add_call = [&](const std::string& name, auto function) {
      add(name, function)->UseManualTime()->Iterations(100);
    };
    add_call("vm/exit_out", [&](benchmark::State& state) { exits(state, world, kOut, Exit::Io); });
    add_call("vm/exit_mmio_write", [&](benchmark::State& state) { exits(state, world, kMmio, Exit::Mmio); });
    add_call("vm/exit_hlt", [&](benchmark::State& state) { exits(state, world, kHlt, Exit::Hlt); });
    add_call("vm/get_regs", [&](benchmark::State& state) { get<kvm_regs>(state, world, Ioctl::GetRegs); });
    add_call("vm/get_sregs", [&](benchmark::State& state) { get<kvm_sregs>(state, world, Ioctl::GetSregs); });
    add("vm/create_run_destroy", [&](benchmark::State& state) { create_run_destroy(state, world); });
  }
  return true;
}();

}  // namespace
}  // namespace bench
