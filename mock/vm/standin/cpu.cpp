// Lets the mock link while mock/cpu has no engine: registers and resets work, a run reports every instruction as not
// modelled. Built only as long as mock/cpu/cpu.cpp does not exist (see CMakeLists.txt).
#include "mock/cpu/cpu.hpp"

namespace mock::cpu {

struct BlockCache {};
Core::Core(Bus& b) : bus(b) {}
Core::~Core() = default;
u64 Core::rflags() const { return flags; }
void Core::set_rflags(u64 value) { flags = static_cast<u32>(value); }
void Core::flush_all_memory() {}
void Core::flush_writes() {}
void Cpu::reset() {
  State& s = state();
  s.rip = 0xfff0;
  s.cr0 = CR0_CD | CR0_NW | CR0_ET;
  for (Segment& segment : s.seg) segment.attributes = 0x93;
  s.seg[CS].attributes = 0x9b;
  s.seg[CS].base = 0xffff0000;
  s.seg[CS].selector = 0xf000;
  s.tr.attributes = 0x83;
  s.ldtr.attributes = 0x82;
  s.dr6 = 0xffff0ff0;
  s.dr7 = 0x400;
  core_.flags = kFlagsFixedOne;
}
void Cpu::init() { reset(); }
void Cpu::state_changed(bool) {}
Stop Cpu::run(u64) { return Stop::unmodelled; }
Stop Cpu::complete(const void*) { return Stop::budget; }
Stop Cpu::complete_msr(bool, u64) { return Stop::budget; }
Stop Cpu::complete_hypercall(u64) { return Stop::budget; }
bool Cpu::translate(u64, Gpa&) { return false; }

}  // namespace mock::cpu
