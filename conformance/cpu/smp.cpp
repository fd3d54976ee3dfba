#include "conformance/cpu/smp.hpp"

#include <thread>

namespace conformance {

using kvmapi::kvm_regs;
using kvmapi::u64;

namespace {

constexpr u64 kLine = 64;
constexpr u64 kBegun = guests::kData + 0x800;  // a line per CPU

}  // namespace

Smp::Smp(Ctx& t, Guest guest, unsigned cpus, std::size_t arena_bytes, bool has_apics) : arena_(arena_bytes) {
  if (has_apics) t.must(t.vm().create_irqchip());
  machines_.push_back(std::make_unique<Machine>(t, guest, Mode::long64));
  t.must(t.vm().set_user_memory_region(slot(1).gpa(kArena).size(arena_bytes).host(arena_.address())), "slot 1");
  for (unsigned n = 1; n < cpus; ++n) {
    others_.push_back(t.must(t.vm().create_vcpu(n)));
    machines_.push_back(std::make_unique<Machine>(*machines_[0], others_.back(), guest));
    if (has_apics) t.must(others_.back().set_mp_state({kvmapi::kMpStateRunnable}));
  }
}

kvm_regs Smp::start(unsigned n) const {
  const Machine& m = *machines_[0];
  const auto entry = guests::mark(m.guest, m.mode, fmt::format("cpu{}", n));
  return {.rsp = guests::kStackTop - n * 0x400,
          .r9 = kBegun + n * kLine,
          .r10 = kBegun + (n + 1) % cpus() * kLine,
          .rip = entry.value_or(guests::kLoad),
          .rflags = 2};
}

bool Smp::run(const std::vector<kvm_regs>& registers) {
  std::vector<kvmapi::Result<int>> results(cpus(), kvmapi::err(EIO));
  std::vector<std::thread> threads;
  for (unsigned n = 0; n < cpus(); ++n) cpu(0).poke<u64>(kBegun + n * kLine, 0);
  for (unsigned n = 0; n < cpus(); ++n) {
    cpu(n).set(registers[n]);
    threads.emplace_back([this, n, &results] { results[n] = cpu(n).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (unsigned n = 0; n < cpus(); ++n) {
    const kvmapi::Exit reason = cpu(n).reason();
    if (results[n] && (reason == kvmapi::Exit::Hlt || reason == kvmapi::Exit::Io)) continue;
    ADD_FAILURE() << "vcpu " << n << " does not come to its end: exit reason " << cpu(n).page().exit_reason << " at "
                  << cpu(n).regs().rip;
    return false;
  }
  return true;
}

}  // namespace conformance
