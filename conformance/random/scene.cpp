// See scene.hpp.
#include "conformance/random/scene.hpp"

#include <algorithm>
#include <cstring>

namespace conformance::random {

Scene::Scene(const Program& p, const Outcome& o, std::span<const u8> of_a, std::span<const u8> of_b)
    : program(p), outcome(o), ram_a(of_a), ram_b(of_b), regs(o.a.regs) {
  fault_a = fault_of(o.a, ram_a, p.variant.mode);
  fault_b = fault_of(o.b, ram_b, p.variant.mode);
  const u64 before = o.before.sregs.cs.base + o.before.regs.rip;
  code_sregs = o.before.sregs;
  if (before >= kHandlers && before < kHandlers + 0x800) set_start(p.variant, code_sregs);
  if (!fault_a) return;
  regs.rsp = fault_a->rsp;
  regs.rip = fault_a->rip;
  instruction = at(fault_a->rip);
}

u64 Scene::word(std::span<const u8> ram, u64 address) {
  u64 value;
  std::memcpy(&value, ram.data() + address, sizeof value);
  return value;
}

bool Scene::has(ZydisMnemonic mnemonic) const {
  const Code code = assemble(program);
  for (u64 rip = kCode; rip < code.starts.back();) {
    const std::optional<Instruction> found = at(rip);
    if (found && found->info.mnemonic == mnemonic) return true;
    rip += found ? found->info.length : 1;
  }
  return false;
}

std::optional<Instruction> Scene::ending_at(u64 rip) const {
  const Code code = assemble(program);
  const auto after = std::lower_bound(code.starts.begin(), code.starts.end(), rip);
  if (after == code.starts.begin()) return std::nullopt;
  for (u64 from = *std::prev(after); from < rip;) {
    const std::optional<Instruction> found = at(from);
    if (!found) return std::nullopt;
    from += found->info.length;
    if (from == rip) return found;
  }
  return std::nullopt;
}

}  // namespace conformance::random
