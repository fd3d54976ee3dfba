// Fuzzer: the same program by blocks (linked, fused, without dead flags) and by single steps. Impossible: different end
// states. Programs that change CR3 are uninteresting: what a translation cache still knows then is the CPU's choice.
#include <cstdio>
#include <cstring>
#include <vector>

#include "mock/fuzz/cpu_invariants.hpp"

namespace mock::fuzz {
namespace {

using namespace cpu;

constexpr u64 kInstructions = 400, kMaxSteps = 3'000;
#ifdef KVM_REPLAY
constexpr int kStops = 4;  // most seeds are guests that have ended by then, and would only run on through zeros
#else
constexpr int kStops = 16;
#endif

// Iterations of a repeated string instruction are steps of their own, but one instruction of a block.
bool is_repeated(CpuMachine& m) {
  const State& s = m.cpu.state();
  const bool is_64bit = m.cpu.core().is_64bit();
  bool has_rep = false;
  for (u64 i = 0; i < 15; ++i) {
    const u64 linear = is_64bit ? s.rip + i : (s.seg[CS].base + s.rip + i) & 0xffffffff;
    Gpa gpa;
    if (!m.cpu.translate(linear, gpa) || gpa.value >= guests::kRamBytes) return false;
    const u8 byte = m.bus.page_host(gpa.value)[gpa.value % kPageSize];
    if (byte == 0xf2 || byte == 0xf3) {
      has_rep = true;
      continue;
    }
    const bool is_prefix = byte == 0x66 || byte == 0x67 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
                           byte == 0x26 || byte == 0x64 || byte == 0x65 || byte == 0xf0 || (is_64bit && byte >> 4 == 4);
    if (!is_prefix) return has_rep && (byte >> 2 == 0x1b || byte >> 2 == 0x29 || (byte >= 0xaa && byte <= 0xaf));
  }
  return false;
}

// Up to `budget` instructions, one at a time, each with all its iterations. `has_repeated` is set if one was repeated.
Stop run_steps(CpuMachine& m, u64 budget, bool& has_repeated) {
  for (u64 done = 0, steps = 0; done < budget && steps < kMaxSteps; ++steps) {
    const u64 rip = m.cpu.state().rip;
    const bool repeated = is_repeated(m);
    has_repeated |= repeated;
    const Stop stop = m.cpu.run(1);
    if (stop != Stop::budget) return stop;
    if (!repeated || m.cpu.state().rip != rip || m.cpu.state().event.kind != Event::Kind::none) ++done;
  }
  return Stop::budget;
}

bool same_segment(const Segment& a, const Segment& b) {
  return a.base == b.base && a.limit_bytes == b.limit_bytes && a.selector == b.selector &&
         a.attributes == b.attributes && a.unusable == b.unusable;
}

const char* difference(CpuMachine& a, CpuMachine& b) {
  const State &x = a.cpu.state(), &y = b.cpu.state();
  if (x.rip != y.rip) return "RIP";
  if (x.gpr != y.gpr) return "general registers";
  if (a.cpu.rflags() != b.cpu.rflags()) return "RFLAGS";
  for (unsigned i = 0; i < 6; ++i)
    if (!same_segment(x.seg[i], y.seg[i])) return "segment registers";
  if (!same_segment(x.tr, y.tr) || !same_segment(x.ldtr, y.ldtr)) return "TR or LDTR";
  if (x.cr0 != y.cr0 || x.cr2 != y.cr2 || x.cr3 != y.cr3 || x.cr4 != y.cr4 || x.efer != y.efer)
    return "control registers";
  if (x.dr != y.dr || x.dr6 != y.dr6 || x.dr7 != y.dr7) return "debug registers";
  if (x.cpl != y.cpl) return "CPL";
  if (x.interrupt_shadow_sti != y.interrupt_shadow_sti || x.interrupt_shadow_mov_ss != y.interrupt_shadow_mov_ss)
    return "interrupt shadow";
  if (x.event.kind != y.event.kind || x.event.vector != y.event.vector || x.event.error_code != y.event.error_code)
    return "pending event";
  if (std::memcmp(&x.fpu.st, &y.fpu.st, sizeof x.fpu.st) || std::memcmp(&x.fpu.ymm, &y.fpu.ymm, sizeof x.fpu.ymm))
    return "x87 or vector registers";
  if (x.fpu.fcw != y.fpu.fcw || x.fpu.fsw != y.fpu.fsw || x.fpu.ftw != y.fpu.ftw || x.fpu.mxcsr != y.fpu.mxcsr)
    return "x87 or SSE control";
  for (u64 page = 0; page < guests::kRamBytes; page += kPageSize)
    if (std::memcmp(a.bus.page_host(page), b.bus.page_host(page), kPageSize)) return "memory";
  return nullptr;
}

void report(const char* what, CpuMachine& a, CpuMachine& b, Stop stop_a, Stop stop_b) {
  std::fprintf(stderr, "blocks and single steps differ in %s\n", what);
  for (CpuMachine* m : {&a, &b}) {
    const State& s = m->cpu.state();
    std::fprintf(stderr, "%s: stop %d rip %lx flags %lx cr0 %lx cr2 %lx event %d/%d shadow %d%d\n",
                 m == &a ? "blocks" : "steps ", static_cast<int>(m == &a ? stop_a : stop_b), s.rip, m->cpu.rflags(),
                 s.cr0, s.cr2, static_cast<int>(s.event.kind), s.event.vector, s.interrupt_shadow_sti,
                 s.interrupt_shadow_mov_ss);
    for (u64 r : s.gpr) std::fprintf(stderr, " %lx", r);
    std::fprintf(stderr, "\n");
  }
  impossible("blocks and single steps differ");
}

void compare(CpuMachine& blocks, CpuMachine& steps, const CpuInput& input, std::span<const u8> code) {
  blocks.start(input, code, true);
  steps.start(input, code, true);
  const u64 cr3 = blocks.cpu.state().cr3;
  bool has_repeated = false;
  for (int stops = 0; stops < kStops; ++stops) {
    const u64 budget = 1 + (input.spare[0] + stops * 37u) % kInstructions;
    Stop a = blocks.cpu.run(budget), b = run_steps(steps, budget, has_repeated);
    // How many instructions a repeated one counts as, when it is left in the middle, may differ: on to the next stop.
    if (has_repeated && (a == Stop::budget || b == Stop::budget)) {
      if (a == Stop::budget) a = blocks.cpu.run(kMaxSteps);
      if (b == Stop::budget) b = run_steps(steps, kMaxSteps, has_repeated);
      if (a == Stop::budget || b == Stop::budget) return;
    }
    if (blocks.cpu.state().cr3 != cr3) return;
    const char* what = a != b ? "why they stopped" : difference(blocks, steps);
    if (what) report(what, blocks, steps, a, b);
    const bool goes_on = blocks.answer(a);
    if (steps.answer(b) != goes_on) report("the answer to a stop", blocks, steps, a, b);
    if (const char* after = difference(blocks, steps)) report(after, blocks, steps, a, b);
    if (!goes_on) return;
  }
}

}  // namespace
}  // namespace mock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const mock::fuzz::u8* data, std::size_t size) {
  using namespace mock::fuzz;
  static CpuMachine blocks, steps;
  std::span<const u8> code;
  const CpuInput input = parse({data, size}, code);
  compare(blocks, steps, input, code);
  return 0;
}
