// What can run a kernel: the mock's CPU, this processor itself, Unicorn, QEMU TCG. All run the same bytes on the same
// memory; each run gives the CPU time it took and the kernel's result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mock/bench/kernels.hpp"
#include "mock/bench/measure.hpp"

namespace bench {

struct Outcome {
  double seconds = 0;        // CPU time of one run
  std::uint64_t result = 0;  // rax (eax in 16-bit code), as a distance from the data if it is an address
};

class Engine {
 public:
  explicit Engine(const char* name) : name_(name) {}
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const char* name() const { return name_; }
  virtual Outcome run() = 0;
  // The result of the very first run, on memory as it was prepared; to be asked for before run().
  virtual std::uint64_t first_result() { return run().result; }
  // Of the last run; 0 if the engine does not count.
  virtual std::uint64_t instructions() const { return 0; }

 private:
  const char* name_;
};

// nullptr: not available here, or not for this kernel.
std::unique_ptr<Engine> make_mock_engine(const Kernel& kernel);
std::unique_ptr<Engine> make_native_engine(const Kernel& kernel);
std::unique_ptr<Engine> make_unicorn_engine(const Kernel& kernel);
std::unique_ptr<Engine> make_qemu_engine(const Kernel& kernel);
std::string unicorn_version();  // or why there is none
std::string qemu_version();

// Guest memory of the engines but the native one: from 0, with code, data and a stack as `layout()` says.
inline constexpr std::size_t kRamBytes = 32 << 20;
struct Layout {
  std::uint64_t code, code_base;  // linear address; base of CS
  std::uint64_t data, data_base;  // linear address; base of DS, ES, SS
  std::uint64_t stack;            // linear address of the return address
  std::uint64_t after;            // linear address it returns to: HLT
};
inline constexpr Layout kLayout64 = {
    .code = 0x10000, .code_base = 0, .data = 0x800000, .data_base = 0, .stack = 0x5fff8, .after = 0x8000};
inline constexpr Layout kLayout16 = {
    .code = 0x10000, .code_base = 0x10000, .data = 0x20000, .data_base = 0x20000, .stack = 0x2fefe, .after = 0x1ff00};
constexpr const Layout& layout(const Kernel& kernel) { return kernel.bits == 16 ? kLayout16 : kLayout64; }
// Writes code, prepared data, the HLT and the return address to it to zeroed memory.
void place(const Kernel& kernel, std::uint8_t* ram);
// The return address, which a run consumes no more than a stack that is written again does.
void place_return_address(const Kernel& kernel, std::uint8_t* ram);

}  // namespace bench
