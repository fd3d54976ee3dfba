// A few bytes of real-mode code for rows that need a vcpu to have run, or a guest that writes memory. Claims about
// running itself live in conformance/run/ and use guests/.
#pragma once

#include <span>
#include <vector>

#include "conformance/support/ctx.hpp"
#include "conformance/system/buffers.hpp"
#include "kvmapi/exit.hpp"

namespace conformance {

inline constexpr u64 kTinyCode = 0x1000;

// Flat real-mode registers: all segments at 0, IP at `ip`.
inline void start_at(Ctx& t, kvmapi::Vcpu& vcpu, u64 ip) {
  kvmapi::kvm_sregs sregs = t.must(vcpu.get_sregs());
  for (auto* segment : {&sregs.cs, &sregs.ds, &sregs.es, &sregs.ss}) {
    segment->base = 0;
    segment->selector = 0;
  }
  t.must(vcpu.set_sregs(sregs));
  kvmapi::kvm_regs regs{};
  regs.rip = ip;
  regs.rsp = 0x800;
  regs.rflags = 2;
  t.must(vcpu.set_regs(regs));
}

// Puts the code at 0x1000 of t.memory() and the vcpu in front of it.
inline void load(Ctx& t, std::span<const u8> code) {
  std::memcpy(t.memory().data() + kTinyCode, code.data(), code.size());
  start_at(t, t.vcpu(), kTinyCode);
}
inline void load(Ctx& t, std::initializer_list<u8> code) { load(t, std::span<const u8>(code.begin(), code.size())); }

// Runs vcpu 0 once until it halts. Only for VMs without an in-kernel LAPIC, where HLT ends KVM_RUN.
inline void run_to_halt(Ctx& t) {
  t.must(t.vcpu().run(), "KVM_RUN");
  if (t.vcpu().exit_reason() != kvmapi::Exit::Hlt) {
    t.broken(fmt::format("the guest ended with {} instead of HLT", kvmapi::c_name(t.vcpu().exit_reason())));
  }
}

// One HLT: after it the vcpu has run.
inline void run_once(Ctx& t) {
  load(t, {0xf4});
  run_to_halt(t);
}

}  // namespace conformance
