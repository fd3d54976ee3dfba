// World: one implementation of KVM with a VM that runs one program after the other, and what can be seen of it at an
// exit.
#pragma once

#include <memory>
#include <string>

#include "conformance/random/program.hpp"
#include "kvmapi/backend.hpp"
#include "kvmapi/system.hpp"

namespace conformance::random {

// Everything that is compared. Memory stays with the world.
struct Snapshot {
  int error = 0;  // errno of KVM_RUN
  kvmapi::kvm_run run{};
  std::array<u8, 64> io_data{};  // of KVM_EXIT_IO
  kvmapi::kvm_regs regs{};
  kvmapi::kvm_sregs sregs{};
  kvmapi::kvm_vcpu_events events{};
  kvmapi::kvm_fpu fpu{};
  kvmapi::kvm_debugregs debug{};
  u32 mxcsr = 0;  // of programs that use it

  kvmapi::Exit reason() const { return static_cast<kvmapi::Exit>(run.exit_reason); }
};

class World {
 public:
  // `error` says what failed.
  static std::unique_ptr<World> make(kvmapi::Backend& backend, const kvmapi::Cpuid* cpuid, std::string& error);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The start of a program. Empty, or which call failed.
  std::string start(const Program& program, const Code& code);
  // Until the next exit; `patience` is how many ticks of the watchdog it may take. The whole state afterwards.
  Snapshot run(unsigned patience);
  // New registers in the middle of a program.
  void set(const kvmapi::kvm_regs& regs, const kvmapi::kvm_sregs* sregs);

  std::span<u8> ram() { return {ram_, kRamBytes}; }
  const kvmapi::Vcpu& vcpu() const { return vcpu_; }
  kvmapi::kvm_run& page() { return vcpu_.page(); }
  kvmapi::Cpuid supported_cpuid() const;
  std::string name() const { return backend_.name(); }
  const kvmapi::kvm_sregs& start_sregs() const { return start_sregs_; }

 private:
  explicit World(kvmapi::Backend& backend) : backend_(backend) {}
  std::string open(const kvmapi::Cpuid* cpuid);
  std::string make_vm();
  void complete_exit();
  std::string failed(const char* call, kvmapi::Errno error) const;
  kvmapi::Result<int> debug() const;
  kvmapi::Result<int> set_fpu(const kvmapi::kvm_fpu& fpu);
  void load_memory(const Program& program, const Code& code);

  kvmapi::Backend& backend_;
  kvmapi::System system_;
  kvmapi::Vm vm_;
  kvmapi::Vcpu vcpu_;
  u8* ram_ = nullptr;
  kvmapi::Cpuid cpuid_;
  kvmapi::kvm_sregs reset_sregs_{}, start_sregs_{};
  bool is_debugged_ = false, uses_fpu_ = false;
};

// Ticks of the watchdog since start_watchdog(): a signal every `milliseconds` that ends KVM_RUN with EINTR.
void start_watchdog(unsigned milliseconds);
unsigned watchdog_ticks();

}  // namespace conformance::random
