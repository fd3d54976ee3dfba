#include "mock/fuzz/cpu_invariants.hpp"

#include <cstdio>
#include <cstdlib>

#include "mock/cpu/block.hpp"

namespace mock::fuzz {

using namespace cpu;

namespace {

constexpr u64 kReservedFlags = ~u64{0x3f7fd7};
constexpr u32 kMxcsrBits = 0xffff;

bool is_canonical(u64 address, bool five_levels) {
  const unsigned shift = five_levels ? 7 : 16;
  return static_cast<u64>(static_cast<s64>(address << shift) >> shift) == address;
}

const char* broken_mode(const State& s, u64 flags) {
  const bool protected_mode = s.cr0 & CR0_PE, paging = s.cr0 & CR0_PG, long_mode = s.efer & EFER_LMA;
  if (paging && !protected_mode) return "CR0.PG without CR0.PE";
  if ((s.cr0 & CR0_NW) && !(s.cr0 & CR0_CD)) return "CR0.NW without CR0.CD";
  if (!(s.cr0 & CR0_ET)) return "CR0.ET is clear";
  if (long_mode != ((s.efer & EFER_LME) && paging)) return "EFER.LMA is not LME and PG";
  if (long_mode && !(s.cr4 & CR4_PAE)) return "long mode without CR4.PAE";
  if (long_mode && (flags & VM)) return "RFLAGS.VM in long mode";
  if ((s.cr4 & CR4_PCIDE) && !long_mode) return "CR4.PCIDE outside long mode";
  if (s.cpl > 3) return "CPL above 3";
  if (!protected_mode && s.cpl != 0) return "CPL in real mode";
  if (!protected_mode && (flags & VM)) return "RFLAGS.VM in real mode";
  if ((flags & VM) && s.cpl != 3) return "virtual-8086 mode outside ring 3";
  return nullptr;
}

const char* broken_registers(const State& s, u64 flags) {
  if (!(flags & kFlagsFixedOne)) return "RFLAGS bit 1 is clear";
  if (flags & kReservedFlags) return "a reserved bit of RFLAGS is set";
  const bool is_64bit = (s.efer & EFER_LMA) && s.seg[CS].l();
  if (is_64bit && !is_canonical(s.rip, true)) return "RIP is not canonical";
  if (!is_64bit && s.rip >> 32) return "RIP is wider than 32 bits outside 64-bit mode";
  if (s.always_zero) return "the slot of absent registers was written";
  if (s.fpu.mxcsr & ~kMxcsrBits) return "a reserved bit of MXCSR is set";
  if (!(s.fpu.xcr0 & 1)) return "XCR0 without x87";
  if ((s.fpu.xcr0 & 4) && !(s.fpu.xcr0 & 2)) return "XCR0 with AVX and without SSE";
  if (s.efer & EFER_LMA)
    for (SegReg r : {FS, GS})
      if (!is_canonical(s.seg[r].base, true)) return "a segment base is not canonical";
  return nullptr;
}

const char* broken_segments(const State& s) {
  for (const Segment& seg : s.seg) {
    if (seg.unusable) continue;
    if (seg.g() ? (seg.limit_bytes & 0xfff) != 0xfff : seg.limit_bytes > 0xfffff)
      return "a segment limit does not fit its granularity";
  }
  const bool flat = (s.efer & EFER_LMA) && s.seg[CS].l();
  if (flat && s.seg[CS].db()) return "CS with L and D";
  return nullptr;
}

const char* broken_event(const State& s) {
  if (s.event.kind == Event::Kind::none) return nullptr;
  if (s.event.kind == Event::Kind::exception && s.event.vector > 31) return "a pending exception above vector 31";
  if (s.event.has_payload && s.event.vector != DB && s.event.vector != PF_) return "a payload without #DB or #PF";
  return nullptr;
}

const char* broken_leftovers(const Core& core) {
  if (core.completion.kind != Completion::Kind::none) return nullptr;
  if (core.device.reads || core.device.writes != core.device.written) return "device accesses without an instruction";
  if (core.step_once) return "a wish to step is left over";
  return nullptr;
}

}  // namespace

const char* broken_invariant(CpuMachine& machine) {
  const State& s = machine.cpu.state();
  const u64 flags = machine.cpu.rflags();
  if (const char* what = broken_mode(s, flags)) return what;
  if (const char* what = broken_registers(s, flags)) return what;
  if (const char* what = broken_segments(s)) return what;
  if (const char* what = broken_event(s)) return what;
  return broken_leftovers(machine.cpu.core());
}

const char* broken_cache(CpuMachine& machine) {
  Core& core = machine.cpu.core();
  for (const Tlb& tlb : core.tlbs) {
    for (u64 i = 0; i <= tlb.byte_mask / sizeof(TlbEntry); ++i) {
      const TlbEntry& entry = tlb.entries[i];
      for (u64 tag : {entry.read_tag, entry.write_tag, entry.execute_tag}) {
        if (tag == kInvalidTag) continue;
        const u8* const host = reinterpret_cast<const u8*>(reinterpret_cast<u64>(entry.host_minus_linear) + tag);
        if (!machine.bus.is_guest_memory(host)) return "a translation leads out of guest memory";
      }
    }
  }
  for (const Block* block : core.blocks->table)
    for (; block; block = block->hash_next) {
      if (!machine.bus.is_guest_memory(block->host)) return "a block lies outside guest memory";
      if (block->host2 && !machine.bus.is_guest_memory(block->host2)) return "a block's end lies outside guest memory";
      if (block->dead) return "a dead block can be found";
    }
  return nullptr;
}

void impossible(const char* what) {
  std::fprintf(stderr, "impossible: %s\n", what);
  std::abort();
}

}  // namespace mock::fuzz
