// From (mode, seed, number) to a program: the variant, the registers, a mixture of families, and their chunks.
#include <algorithm>

#include "conformance/random/composite.hpp"
#include "conformance/random/instruction.hpp"

namespace conformance::random {
namespace {

constexpr u32 kEveryFamily = ~0u;

constexpr u32 kArithmeticFlags = 0x8d5, kDf = 0x400, kIf = 0x200, kIopl = 0x3000, kNt = 0x4000, kAc = 0x40000,
              kId = 0x200000, kVm = 0x20000;

Variant choose_variant(Mode mode, Random& random) {
  Variant v{.mode = mode, .bits = 32, .ring = 0};
  if (mode == Mode::real || mode == Mode::v86 || mode == Mode::prot16) v.bits = 16;
  if (mode == Mode::long64) v.bits = 64;
  if (mode == Mode::compat && random.chance(25)) v.bits = 16;
  if (mode != Mode::real && random.chance(35)) v.ring = 3;
  if (mode == Mode::v86) v.ring = 3;
  v.single_step = random.chance(4);
  return v;
}

u64 stack_pointer(const Variant& v, Random& random) {
  const u64 top = stack_top(v);
  const u32 kind = random.below(100);
  if (kind < 70) return top - 0x100 - random.below(32) * 8;
  if (kind < 85) return top - kPage + random.below(32);  // soon on the page before
  return top - 0x100 - random.below(0x400);
}

kvmapi::kvm_regs choose_registers(const Variant& v, Random& random) {
  kvmapi::kvm_regs r{};
  u64* const all[] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi,
                      &r.r8,  &r.r9,  &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15};
  for (unsigned i = 0; i < 16; ++i) *all[i] = register_value(i, v, random);
  if (v.bits != 64)
    for (u64* reg : all) *reg &= 0xffffffff;  // the upper halves are undefined outside 64-bit mode
  r.rsp = stack_pointer(v, random);
  r.rip = kCode;
  r.rflags = 2 | (random.word() & kArithmeticFlags);
  if (random.chance(15)) r.rflags |= kDf;
  if (random.chance(50)) r.rflags |= kIf;
  if (random.chance(10)) r.rflags |= kId;
  if (random.chance(3)) r.rflags |= kNt;
  if (v.ring == 3 && random.chance(60)) r.rflags |= random.word() & kIopl;
  if (v.mode == Mode::v86) r.rflags |= kVm;
  return r;
}

bool uses_fpu(u32 families) {
  constexpr u32 kFpu = 1u << static_cast<unsigned>(Family::x87) | 1u << static_cast<unsigned>(Family::sse);
  return families != kEveryFamily && families & kFpu;
}

// Registers with anything in them, now and then exceptions that are not masked.
kvmapi::kvm_fpu choose_fpu(u32 families, Random& random) {
  kvmapi::kvm_fpu f{};
  f.fcw = 0x37f;
  f.mxcsr = 0x1f80;
  if (!uses_fpu(families)) return f;
  if (random.chance(40)) f.fcw = static_cast<u16>((f.fcw & ~0xc00u) | random.below(4) << 10);
  if (random.chance(30)) f.fcw &= static_cast<u16>(~(random.below(64)));
  if (random.chance(40)) f.mxcsr = (f.mxcsr & ~0x6000u) | random.below(4) << 13;
  if (random.chance(20)) f.mxcsr &= ~(random.below(64) << 7);
  f.ftwx = static_cast<u8>(random.word());
  for (auto& reg : f.fpr) {
    const u64 fraction = random.operand() | (random.chance(80) ? u64{1} << 63 : 0), sign_exponent = random.operand();
    for (unsigned i = 0; i < 8; ++i) reg[i] = static_cast<u8>(fraction >> (8 * i));
    reg[8] = static_cast<u8>(sign_exponent);
    reg[9] = static_cast<u8>(sign_exponent >> 8);
  }
  for (auto& reg : f.xmm)
    for (u8& byte : reg) byte = static_cast<u8>(random.operand());
  return f;
}

// Families in this program, by weight.
struct Mixture {
  std::array<u32, kFamilies> weights{};
  u32 total = 0;

  Mixture(u32 allowed, Random& random) {
    constexpr u32 kUsual[kFamilies] = {50, 12, 12, 10, 6, 4, 3, 0, 0, 6};
    for (unsigned i = 0; i < kFamilies; ++i) {
      if (!(allowed >> i & 1)) continue;
      const u32 usual = allowed == kEveryFamily ? kUsual[i] : std::max(kUsual[i], 10u);
      weights[i] = usual * (random.chance(30) ? 4 : 1);
      total += weights[i];
    }
  }
  Family pick(Random& random) const {
    u32 at = random.below(total);
    for (unsigned i = 0; i < kFamilies; ++i) {
      if (at < weights[i]) return static_cast<Family>(i);
      at -= weights[i];
    }
    return Family::integer;
  }
};

}  // namespace

Program make_program(const ProgramOptions& options, u64 number) {
  Random random(mix(mix(options.seed, static_cast<u64>(options.mode)), number));
  Program p;
  p.seed = options.seed;
  p.number = number;
  p.variant = choose_variant(options.mode, random);
  p.regs = choose_registers(p.variant, random);
  p.fpu = choose_fpu(options.families, random);
  p.uses_fpu = uses_fpu(options.families);
  p.chance = random.word();
  p.returns = random.chance(40);
  p.interrupts = random.chance(25) ? 30 : 0;
  const Mixture mixture(options.families, random);
  const u32 count = 4 + random.below(random.chance(20) ? 60 : 24);
  for (u32 i = 0; i < count; ++i) {
    Chunk chunk;
    chunk.index = i;
    put_chunk(mixture.total ? mixture.pick(random) : Family::integer, p.variant, random, chunk);
    p.chunks.push_back(chunk);
  }
  return p;
}

Code assemble(const Program& program) {
  Code code;
  for (const Chunk& chunk : program.chunks) {
    code.starts.push_back(kCode + code.bytes.size());
    code.bytes.insert(code.bytes.end(), chunk.code.begin(), chunk.code.begin() + chunk.size);
  }
  code.starts.push_back(kCode + code.bytes.size());
  code.bytes.push_back(0xf4);
  for (std::size_t i = 0; i < program.chunks.size(); ++i) {
    const Chunk::Target& target = program.chunks[i].target;
    if (!target.bytes) continue;
    // The chunk it was made for, or the next one that is still there.
    std::size_t to = i + 1;
    while (to < program.chunks.size() && program.chunks[to].index < target.chunk) ++to;
    const u64 at = code.starts[i] + target.at;
    u64 value = code.starts[to];
    if (target.is_relative) value -= at + target.bytes;
    for (unsigned b = 0; b < target.bytes; ++b) code.bytes[at - kCode + b] = static_cast<u8>(value >> (8 * b));
  }
  return code;
}

}  // namespace conformance::random
