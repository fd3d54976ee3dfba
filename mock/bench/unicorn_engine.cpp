// Unicorn, if its headers were there at build time. The library is a shared one: another version of it, named by
// LD_LIBRARY_PATH, serves the same program.
#include "mock/bench/engine.hpp"

#ifdef KVM_BENCH_UNICORN
#include <unicorn/unicorn.h>

#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

void check(uc_err error, const char* what) {
  if (error == UC_ERR_OK) return;
  std::fprintf(stderr, "unicorn: %s: %s\n", what, uc_strerror(error));
  std::abort();
}

class UnicornEngine : public Engine {
 public:
  explicit UnicornEngine(const Kernel& kernel)
      : Engine("unicorn"),
        kernel_(kernel),
        ram_(static_cast<std::uint8_t*>(std::aligned_alloc(4096, kRamBytes)), &std::free) {
    std::fill_n(ram_.get(), kRamBytes, std::uint8_t{0});
    check(uc_open(UC_ARCH_X86, kernel.bits == 64 ? UC_MODE_64 : UC_MODE_16, &engine_), "open");
    check(uc_mem_map_ptr(engine_, 0, kRamBytes, UC_PROT_ALL, ram_.get()), "memory");
    place(kernel, ram_.get());
    if (kernel.bits == 64) return;
    set(UC_X86_REG_CS, kLayout16.code_base >> 4);
    for (const int reg : {UC_X86_REG_DS, UC_X86_REG_ES, UC_X86_REG_SS}) set(reg, kLayout16.data_base >> 4);
  }
  ~UnicornEngine() override { uc_close(engine_); }

  Outcome run() override {
    const Layout& at = layout(kernel_);
    place_return_address(kernel_, ram_.get());
    // 16-bit mode does not know the 64-bit names.
    const bool is_long = kernel_.bits == 64;
    set(is_long ? UC_X86_REG_RDI : UC_X86_REG_EDI, at.data - at.data_base);
    set(is_long ? UC_X86_REG_RSI : UC_X86_REG_ESI, kernel_.iterations);
    set(is_long ? UC_X86_REG_RSP : UC_X86_REG_ESP, at.stack - at.data_base);
    const double start = cpu_seconds();
    check(uc_emu_start(engine_, at.code, at.after, 0, 0), "run");
    const double seconds = cpu_seconds() - start;
    std::uint64_t result = 0;
    check(uc_reg_read(engine_, is_long ? UC_X86_REG_RAX : UC_X86_REG_EAX, &result), "result");
    return {seconds, result - (kernel_.gives_address ? at.data - at.data_base : 0)};
  }

 private:
  void set(int reg, std::uint64_t value) { check(uc_reg_write(engine_, reg, &value), "register"); }

  const Kernel& kernel_;
  std::unique_ptr<std::uint8_t, void (*)(void*)> ram_;
  uc_engine* engine_ = nullptr;
};

}  // namespace

std::unique_ptr<Engine> make_unicorn_engine(const Kernel& kernel) { return std::make_unique<UnicornEngine>(kernel); }

std::string unicorn_version() {
  const unsigned version = uc_version(nullptr, nullptr);
  return std::to_string(version >> 24) + "." + std::to_string(version >> 16 & 255) + "." +
         std::to_string(version >> 8 & 255);
}

}  // namespace bench

#else

namespace bench {

std::unique_ptr<Engine> make_unicorn_engine(const Kernel&) { return nullptr; }
std::string unicorn_version() { return "none: libunicorn-dev was not there at build time"; }

}  // namespace bench

#endif
