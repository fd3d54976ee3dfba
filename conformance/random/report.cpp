// See report.hpp.
#include "conformance/random/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "conformance/support/disassembly.hpp"

namespace conformance::random {
namespace {

std::string registers_text(const kvmapi::kvm_regs& r, const kvmapi::kvm_sregs& s) {
  std::string text = fmt::format(
      "  rax {:016x} rcx {:016x} rdx {:016x} rbx {:016x}\n  rsp {:016x} rbp {:016x} rsi {:016x} rdi {:016x}\n"
      "  r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}\n  r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}\n"
      "  rip {:016x} rflags {:08x} cr0 {:08x} cr2 {:x} cr3 {:x} cr4 {:x} efer {:x}\n",
      r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15,
      r.rip, r.rflags, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
  const std::pair<const char*, const kvmapi::kvm_segment*> segments[] = {{"cs", &s.cs}, {"ss", &s.ss}, {"ds", &s.ds},
                                                                         {"es", &s.es}, {"fs", &s.fs}, {"gs", &s.gs}};
  for (const auto& [name, g] : segments)
    text += fmt::format("  {} {:04x} {:x}+{:x} type {:x} dpl {} p{} db{} l{}", name, g->selector, g->base, g->limit,
                        g->type, g->dpl, g->present, g->db, g->l);
  return text + "\n";
}

}  // namespace

std::string rerun_command(const Program& p) {
  return fmt::format("kvm-random --seed {} --mode {} --first {} --programs 1", p.seed, name(p.variant.mode), p.number);
}

std::string list(const Program& program) {
  return conformance::disassemble(assemble(program).bytes, kCode, program.variant.bits);
}

std::string describe(const Finding& f) {
  const Program& p = f.program;
  std::string text =
      fmt::format("{} ring {} {}-bit{}{}, {} of {} chunks left, exit {}\n", name(p.variant.mode), p.variant.ring,
                  p.variant.bits, p.variant.single_step ? ", single steps" : "", p.returns ? ", handlers return" : "",
                  p.chunks.size(), f.chunks_before, f.outcome.exits + 1);
  text += conformance::disassemble(f.outcome.code, kCode, p.variant.bits);
  text += fmt::format("before ({}):\n{}", f.outcome.exits ? describe_exit(f.outcome.before) : "start",
                      registers_text(f.outcome.before.regs, f.outcome.before.sregs));
  text += fmt::format("a: {}\nb: {}\n", describe_exit(f.outcome.a), describe_exit(f.outcome.b));
  for (const FieldDifference& d : f.outcome.fields) text += fmt::format("  {:<32} a {:<24} b {}\n", d.path, d.a, d.b);
  return text + "again: " + rerun_command(p) + "\n";
}

std::string to_text(const Summary& s) {
  std::string text = fmt::format(
      "{} programs of seed {} from {} on {} and {}: {} the same, {} the same but for named limits, {} did not end, {} "
      "different",
      s.programs, s.seed, s.first, s.a, s.b, s.same, s.limited, s.did_not_end, s.different);
  if (s.broken) text += fmt::format(", {} not run", s.broken);
  text += fmt::format("; {} exits compared, {:.1f} s\n", s.exits, s.seconds);
  for (const auto& [mode, count] : s.by_mode) text += fmt::format("  mode {:<28}{:>8}\n", mode, count);
  for (const auto& [limit, count] : s.by_limit) text += fmt::format("  limit {:<27}{:>8}\n", limit, count);
  for (const auto& [kind, count] : s.by_kind) text += fmt::format("  different {:<40}{:>8}\n", kind, count);
  return text;
}

std::string to_json(const Summary& s) {
  const nlohmann::json json = {{"program", "kvm-random"},
                               {"a", s.a},
                               {"b", s.b},
                               {"seed", s.seed},
                               {"first", s.first},
                               {"programs", s.programs},
                               {"same", s.same},
                               {"limited", s.limited},
                               {"did_not_end", s.did_not_end},
                               {"different", s.different},
                               {"broken", s.broken},
                               {"exits", s.exits},
                               {"by_mode", s.by_mode},
                               {"by_limit", s.by_limit},
                               {"by_kind", s.by_kind}};
  return json.dump(1) + "\n";
}

}  // namespace conformance::random
