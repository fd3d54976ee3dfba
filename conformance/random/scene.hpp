// Scene: a difference with what both worlds show of the instruction behind it. What limits ask.
#pragma once

#include "conformance/random/fault.hpp"
#include "conformance/random/outcome.hpp"

namespace conformance::random {

class Scene {
 public:
  Scene(const Program& program, const Outcome& outcome, std::span<const u8> ram_a, std::span<const u8> ram_b);

  const Program& program;
  const Outcome& outcome;
  std::span<const u8> ram_a, ram_b;

  // The exceptions that the mock (a) and the kernel (b) stopped in, and the instruction that raised the mock's.
  std::optional<Fault> fault_a, fault_b;
  std::optional<Instruction> instruction;
  kvmapi::kvm_sregs code_sregs{};  // with the segments that the code ran with before the exception
  kvmapi::kvm_regs regs;           // as that instruction saw them, but for what it changed before the exception

  bool a_raised(unsigned vector) const { return fault_a && fault_a->vector == vector; }
  bool b_raised(unsigned vector) const { return fault_b && fault_b->vector == vector; }
  bool a_exits(kvmapi::Exit reason) const { return !outcome.a.error && outcome.a.reason() == reason; }
  bool b_exits(kvmapi::Exit reason) const { return !outcome.b.error && outcome.b.reason() == reason; }
  // The mock stopped where a handler begins or returns.
  bool is_handler() const {
    const u64 rip = outcome.a.sregs.cs.base + outcome.a.regs.rip;
    return rip >= kHandlers && rip < kHandlers + 0x800;
  }
  // Whether the program has such an instruction.
  bool has(ZydisMnemonic mnemonic) const;
  // Both wait for device memory.
  bool is_mmio() const { return a_exits(kvmapi::Exit::Mmio) && b_exits(kvmapi::Exit::Mmio); }

  // The instruction at an address of the code under test, or the one that ends there.
  std::optional<Instruction> at(u64 rip) const { return decode(ram_a, rip, program.variant.bits); }
  std::optional<Instruction> ending_at(u64 rip) const;

  u64 word_a(u64 address) const { return word(ram_a, address); }
  u64 word_b(u64 address) const { return word(ram_b, address); }
  // Where the stack of a world's handler begins.
  u64 stack_a() const { return stack_of(outcome.a); }
  bool is_frame(u64 address) const { return fault_a && address + 8 > stack_a() && address <= stack_a() + 56; }
  static bool is_table(u64 address) { return address >= kTopTable && address < kCode; }

  // Whether nothing but memory (and the fields that `field` accepts) differs, and every word of it passes.
  template <class Field, class Word>
  bool differs_only(const Field& field, const Word& pass) const {
    for (const FieldDifference& d : outcome.fields)
      if (!d.path.starts_with("memory") && !field(d.path)) return false;
    for (u64 address = 0; address < kRamBytes; address += 8) {
      const u64 a = word_a(address), b = word_b(address);
      if (a != b && !pass(address, a, b)) return false;
    }
    return true;
  }
  template <class Word>
  bool only_memory(const Word& pass) const {
    return differs_only([](const std::string&) { return false; }, pass);
  }

 private:
  static u64 word(std::span<const u8> ram, u64 address);
};

}  // namespace conformance::random
