// One guest on several vcpus at once, a thread each, with memory of its own beside the guest's; and how often a test of
// such a kind repeats what it does.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "conformance/support/machine.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {

class Smp {
 public:
  static constexpr kvmapi::u64 kArena = 0x400000;  // guest address of arena()

  // CPU n starts at the guest's mark "cpun", or all where code starts if there is no such mark. With `has_apics`, the
  // interrupt controllers are in the kernel. Fewer CPUs than KVM allows: the test is skipped.
  Smp(Ctx& t, Guest guest, unsigned cpus, std::size_t arena_bytes, bool has_apics = false);

  unsigned cpus() const { return static_cast<unsigned>(machines_.size()); }
  Machine& cpu(unsigned n) { return *machines_[n]; }
  kvmapi::u8* arena() const { return arena_.data(); }
  // A zeroed kvm_regs but for RIP, RSP and RFLAGS, and R9 and R10: words where a CPU says that it has begun, and looks
  // whether its neighbour has. run() clears them.
  kvmapi::kvm_regs start(unsigned n) const;

  // Runs all CPUs from these registers until each halts or writes to a port. False after a failure was reported.
  bool run(const std::vector<kvmapi::kvm_regs>& registers);

 private:
  HostPages arena_;
  std::deque<kvmapi::Vcpu> others_;
  std::vector<std::unique_ptr<Machine>> machines_;
};

// Calls batch() until `rounds` rounds are done, it answers false, or a second and a half has passed (emulation,
// sanitizers, a single CPU); notes how many rounds there were.
template <class Batch>
void repeat(kvmapi::u64 rounds, kvmapi::u64 rounds_per_batch, Batch batch) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  kvmapi::u64 done = 0;
  do {
    if (!batch()) return;
    done += rounds_per_batch;
  } while (done < rounds && std::chrono::steady_clock::now() < end);
  SUCCEED() << done << " rounds";
}

}  // namespace conformance
