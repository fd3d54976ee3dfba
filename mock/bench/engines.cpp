// The engines inside this process: the mock's CPU and native code. See engine.hpp.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "mock/bench/engine.hpp"
#include "mock/cpu/test_machine.hpp"

namespace bench {

using namespace mock::cpu;

void place_return_address(const Kernel& kernel, std::uint8_t* ram) {
  const Layout& at = layout(kernel);
  const std::uint64_t offset = at.after - at.code_base;
  std::memcpy(ram + at.stack, &offset, kernel.bits / 8);
}

void place(const Kernel& kernel, std::uint8_t* ram) {
  const Layout& at = layout(kernel);
  std::memcpy(ram + at.code, kernel.code.data(), kernel.code.size());
  ram[at.after] = 0xf4;  // hlt
  kernel.prepare(ram + at.data, at.data - at.data_base);
  place_return_address(kernel, ram);
}

namespace {

class MockEngine : public Engine {
 public:
  explicit MockEngine(const Kernel& kernel) : Engine("mock"), kernel_(kernel), machine_(kRamBytes) {
    place(kernel, machine_.bus.ram());
    if (kernel.bits == 64) {
      machine_.long_mode(kLayout64.code);
      machine_.s().cr4 |= CR4_OSFXSR;
      return;
    }
    machine_.real_mode(0);
    for (const SegReg reg : {CS, DS, ES, SS}) {
      Segment& segment = machine_.s().seg[reg];
      segment.base = reg == CS ? kLayout16.code_base : kLayout16.data_base;
      segment.selector = static_cast<u16>(segment.base >> 4);
    }
    machine_.cpu.state_changed();
  }

  Outcome run() override {
    const Layout& at = layout(kernel_);
    place_return_address(kernel_, machine_.bus.ram());
    machine_.reg(RDI) = at.data - at.data_base;
    machine_.reg(RSI) = kernel_.iterations;
    machine_.reg(RSP) = at.stack - at.data_base;
    machine_.s().rip = at.code - at.code_base;
    const u64 before = machine_.cpu.instructions_retired();
    const double start = cpu_seconds();
    if (machine_.cpu.run(~u64{0} >> 1) != Stop::hlt) std::abort();
    const double seconds = cpu_seconds() - start;
    instructions_ = machine_.cpu.instructions_retired() - before - 1;
    return {seconds, machine_.reg(RAX) - (kernel_.gives_address ? at.data - at.data_base : 0)};
  }
  std::uint64_t instructions() const override { return instructions_; }

 private:
  const Kernel& kernel_;
  FlatMachine machine_;
  u64 instructions_ = 0;
};

class NativeEngine : public Engine {
 public:
  explicit NativeEngine(const Kernel& kernel) : Engine("native"), kernel_(kernel), data_(kDataBytes + 4096) {
    code_ = mmap(nullptr, kernel.code.size(), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code_ == MAP_FAILED) std::abort();
    std::memcpy(code_, kernel.code.data(), kernel.code.size());
    base_ = reinterpret_cast<u8*>((reinterpret_cast<u64>(data_.data()) + 4095) & ~u64{4095});
    kernel.prepare(base_, reinterpret_cast<u64>(base_));
  }
  ~NativeEngine() override { munmap(code_, kernel_.code.size()); }

  Outcome run() override {
    const double start = cpu_seconds();
    const u64 result = reinterpret_cast<u64 (*)(u8*, u64)>(code_)(base_, kernel_.iterations);
    return {cpu_seconds() - start, result - (kernel_.gives_address ? reinterpret_cast<u64>(base_) : 0)};
  }

 private:
  const Kernel& kernel_;
  std::vector<u8> data_;
  void* code_;
  u8* base_;
};

}  // namespace

std::unique_ptr<Engine> make_mock_engine(const Kernel& kernel) { return std::make_unique<MockEngine>(kernel); }

std::unique_ptr<Engine> make_native_engine(const Kernel& kernel) {
  if (kernel.bits != 64) return nullptr;  // no real mode for a process
  return std::make_unique<NativeEngine>(kernel);
}

}  // namespace bench
