// The table of CPUID bits held against the CPU: what a bit stands for is executed when the guest has it and #UD when it
// has not, on this host and on one that has nothing beyond x86-64-v1. Instructions come from the decoder itself.
#include "mock/cpu/cpuid_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/dispatch.hpp"
#include "mock/cpu/instruction_catalog.hpp"
#include "mock/cpu/system_test_bus.hpp"
#include "mock/cpu/xstate.hpp"

namespace mock::cpu {
namespace {

const std::vector<CatalogForm>& catalog() {
  static const auto forms = instruction_catalog();
  return forms;
}

using Leaf = std::pair<u32, u32>;

// Processor and guest by leaf; a leaf that is not set has every bit.
class FeatureBus : public SystemTestBus {
 public:
  using SystemTestBus::SystemTestBus;
  CpuidResult cpuid(u32 leaf, u32 subleaf) override { return find(guest, leaf, subleaf); }
  CpuidResult processor(u32 leaf, u32 subleaf) override { return find(hardware, leaf, subleaf); }

  std::map<Leaf, CpuidResult> guest, hardware;

 private:
  static CpuidResult find(const std::map<Leaf, CpuidResult>& leaves, u32 leaf, u32 subleaf) {
    const auto found = leaves.find({leaf, subleaf});
    if (found != leaves.end()) return found->second;
    if (leaf == 0 || leaf == 0x80000000) return {leaf + 0x20, 0, 0, 0};
    if (leaf == 0x80000008) return {0x3030, ~0u, ~0u, ~0u};
    return {~0u, ~0u, ~0u, ~0u};
  }
};

enum class Outcome : u8 { executed, undefined, unmodelled };

// 64-bit ring 0 with everything switched on; a vector that is taken halts at its handler.
class OneInstruction {
 public:
  static constexpr u64 kCode = 0x8000, kOperand = 0x20000, kStack = 0x7000, kIdt = 0x4000, kHandlers = 0x9000;

  // The instruction before may have written anywhere.
  void set_up() {
    bus.poke(0, std::array<u8, 0x20000>{});
    bus.poke<u64>(0x1000, 0x2007);
    bus.poke<u64>(0x2000, 0x3007);
    bus.poke<u64>(0x3000, 0x87);
    bus.poke<u64>(0x5000 + 8, 0x00af9b000000ffff);
    for (unsigned v = 0; v < 32; ++v) {
      bus.poke<u64>(kIdt + v * 16, pack_gate(8, static_cast<u32>(kHandlers + v * 16), kInterruptGate32, 0));
      bus.poke<u8>(kHandlers + v * 16, 0xf4);
    }
  }

  Outcome run(const CatalogForm& form) {
    set_up();
    Cpu cpu(bus);
    State& s = cpu.state();
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_MP;
    s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE | CR4_PKE;
    s.efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NX;
    s.fpu.xcr0 = kXstateAll;
    s.cr3 = 0x1000;
    s.gdtr = {.base = 0x5000, .limit = 0xff};
    s.idtr = {.base = kIdt, .limit = 0x1ff};
    s.seg[CS] = Segment{.base = 0, .limit_bytes = 0xffffffff, .selector = 8, .attributes = 0xa9b};
    for (const SegReg reg : {SS, DS, ES, FS, GS}) {
      s.seg[reg] = Segment{.base = 0, .limit_bytes = 0xffffffff, .selector = 16, .attributes = 0xc93};
    }
    s.rip = kCode;
    s.gpr[RSP] = kStack;
    s.gpr[RCX] = kOperand;
    for (unsigned i = 0; i < form.length; ++i) bus.poke<u8>(kCode + i, form.bytes[i]);
    bus.poke<u8>(kCode + form.length, 0xf4);
    cpu.set_rflags(2);
    cpu.state_changed();
    // A jump may have led to where no memory is.
    if (cpu.run(2) == Stop::unmodelled && s.rip == kCode) return Outcome::unmodelled;
    const u64 handler = kHandlers + UD * 16;
    return s.rip == handler || s.rip == handler + 1 ? Outcome::undefined : Outcome::executed;
  }

  FeatureBus bus;
};

std::string text(const CatalogForm& form) {
  std::string out = ZydisMnemonicGetString(form.mnemonic);
  for (unsigned i = 0; i < form.length; ++i) {
    char byte[4];
    std::snprintf(byte, sizeof byte, " %02x", form.bytes[i]);
    out += byte;
  }
  return out;
}

bool belongs(const CatalogForm& form, const CpuidBit& bit) {
  return std::find(bit.sets.begin(), bit.sets.end(), form.set) != bit.sets.end();
}

// The encodings that a processor without the instruction takes for another one.
bool has_older_meaning(const CatalogForm& form) {
  return form.mnemonic == ZYDIS_MNEMONIC_TZCNT || form.mnemonic == ZYDIS_MNEMONIC_LZCNT;
}

// Undefined by definition, outside SMM, or in long mode on AMD.
bool is_meant_to_be_undefined(const CatalogForm& form) {
  switch (form.mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_RSM:
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSEXIT:
      return true;
    default:
      return false;
  }
}

void clear(std::map<Leaf, Bus::CpuidResult>& leaves, const CpuidBit& bit) {
  Bus::CpuidResult word{~0u, ~0u, ~0u, ~0u};
  word_of(word, bit.reg) &= ~(1u << bit.bit);
  leaves[{bit.leaf, bit.subleaf}] = word;
}

TEST(CpuidTable, a_bit_has_one_row_and_a_name) {
  std::set<std::tuple<u32, u32, CpuidRegister, u8>> bits;
  for (const CpuidBit& bit : cpuid_bits()) {
    EXPECT_TRUE(bits.insert({bit.leaf, bit.subleaf, bit.reg, bit.bit}).second) << bit.name;
    EXPECT_EQ(bit.gate == Gate::fact, *bit.note != 0) << bit.name << ": a fact has a note, and only a fact";
    EXPECT_TRUE(bit.gate == Gate::fact || bit.control || bit.sets[0]) << bit.name << " stands for nothing";
    bool listed = false;
    for (const FeatureWord& word : feature_words())
      listed |= word.leaf == bit.leaf && word.subleaf == bit.subleaf && word.reg == bit.reg;
    EXPECT_TRUE(listed) << bit.name << ": its word is not in feature_words()";
  }
}

TEST(CpuidTable, every_instruction_of_a_bit_is_executed) {
  OneInstruction machine;
  unsigned forms = 0;
  for (const CpuidBit& bit : cpuid_bits()) {
    if (!bit.is_executed_on(host())) continue;
    for (const CatalogForm& form : catalog()) {
      if (!belongs(form, bit)) continue;
      const Outcome expected = is_meant_to_be_undefined(form) ? Outcome::undefined : Outcome::executed;
      ++forms;
      EXPECT_EQ(machine.run(form), expected) << bit.name << ": " << text(form);
    }
  }
  std::printf("%zu bits, %u forms of instructions, of %zu that the decoder knows\n", cpuid_bits().size(), forms,
              catalog().size());
  EXPECT_GT(forms, 1500u);
}

TEST(CpuidTable, instructions_that_the_processor_lacks_are_undefined_unless_the_guest_was_promised_them) {
  for (const CpuidBit& bit : cpuid_bits()) {
    if (bit.gate != Gate::processor || !bit.is_executed_on(host())) continue;
    OneInstruction lacks, promised;
    clear(lacks.bus.hardware, bit);
    clear(lacks.bus.guest, bit);
    clear(promised.bus.hardware, bit);
    for (const CatalogForm& form : catalog()) {
      if (!belongs(form, bit)) continue;
      const Outcome without = has_older_meaning(form) ? Outcome::executed : Outcome::undefined;
      EXPECT_EQ(lacks.run(form), without) << bit.name << ": " << text(form);
      EXPECT_EQ(promised.run(form), Outcome::executed) << bit.name << ": " << text(form);
    }
  }
}

TEST(CpuidTable, hiding_a_bit_hides_an_instruction_only_where_kvm_intercepts_it) {
  for (const CpuidBit& bit : cpuid_bits()) {
    if (!bit.is_executed_on(host())) continue;
    OneInstruction hidden;
    clear(hidden.bus.guest, bit);
    for (const CatalogForm& form : catalog()) {
      if (!belongs(form, bit)) continue;
      const bool undefined = bit.gate == Gate::guest || is_meant_to_be_undefined(form);
      const Outcome expected = undefined ? Outcome::undefined : Outcome::executed;
      EXPECT_EQ(hidden.run(form), expected) << bit.name << ": " << text(form);
    }
  }
}

TEST(CpuidTable, control_bits_follow_the_guests_cpuid) {
  for (const CpuidBit& bit : cpuid_bits()) {
    if (!bit.control) continue;
    FeatureBus with, without;
    clear(without.guest, bit);
    const Features yes = read_features(with), no = read_features(without);
    const auto valid = [&](const Features& f) {
      return bit.gate == Gate::efer ? f.efer_valid : bit.gate == Gate::xcr0 ? f.xcr0_valid : f.cr4_valid;
    };
    EXPECT_EQ(valid(yes) & bit.control, bit.is_executed_on(host()) ? bit.control : 0) << bit.name;
    if (bit.control == kXstateX87 && bit.gate == Gate::xcr0) continue;  // always there
    EXPECT_EQ(valid(no) & bit.control, 0u) << bit.name;
  }
}

// psABI levels; x86-64-v1 is what every host has.
constexpr ZydisISASet kLevel1[] = {
    ZYDIS_ISA_SET_I86,      ZYDIS_ISA_SET_I186,         ZYDIS_ISA_SET_I286REAL,     ZYDIS_ISA_SET_I286PROTECTED,
    ZYDIS_ISA_SET_I386,     ZYDIS_ISA_SET_I486,         ZYDIS_ISA_SET_I486REAL,     ZYDIS_ISA_SET_PENTIUMREAL,
    ZYDIS_ISA_SET_PPRO,     ZYDIS_ISA_SET_CMOV,         ZYDIS_ISA_SET_FCMOV,        ZYDIS_ISA_SET_X87,
    ZYDIS_ISA_SET_FXSAVE,   ZYDIS_ISA_SET_FXSAVE64,     ZYDIS_ISA_SET_PENTIUMMMX,   ZYDIS_ISA_SET_SSE,
    ZYDIS_ISA_SET_SSEMXCSR, ZYDIS_ISA_SET_SSE_PREFETCH, ZYDIS_ISA_SET_PREFETCH_NOP, ZYDIS_ISA_SET_SSE2,
    ZYDIS_ISA_SET_SSE2MMX,  ZYDIS_ISA_SET_LONGMODE,     ZYDIS_ISA_SET_AMD,          ZYDIS_ISA_SET_FAT_NOP,
    ZYDIS_ISA_SET_CLFSH,    ZYDIS_ISA_SET_PAUSE,        ZYDIS_ISA_SET_RDPMC};
constexpr ZydisISASet kLevels2And3[] = {
    ZYDIS_ISA_SET_CMPXCHG16B, ZYDIS_ISA_SET_LAHF,  ZYDIS_ISA_SET_POPCNT,   ZYDIS_ISA_SET_SSE3,
    ZYDIS_ISA_SET_SSE3X87,    ZYDIS_ISA_SET_SSSE3, ZYDIS_ISA_SET_SSSE3MMX, ZYDIS_ISA_SET_SSE4,
    ZYDIS_ISA_SET_SSE42,      ZYDIS_ISA_SET_AVX,   ZYDIS_ISA_SET_AVX2,     ZYDIS_ISA_SET_AVX2GATHER,
    ZYDIS_ISA_SET_BMI1,       ZYDIS_ISA_SET_BMI2,  ZYDIS_ISA_SET_F16C,     ZYDIS_ISA_SET_FMA,
    ZYDIS_ISA_SET_LZCNT,      ZYDIS_ISA_SET_MOVBE, ZYDIS_ISA_SET_XSAVE};

template <std::size_t n>
bool contains(const ZydisISASet (&sets)[n], ZydisISASet set) {
  return std::find(std::begin(sets), std::end(sets), set) != std::end(sets);
}

TEST(CpuidTable, every_mnemonic_up_to_x86_64_v3_has_a_row) {
  std::set<ZydisMnemonic> mnemonics;
  std::string missing;
  for (const CatalogForm& form : catalog()) {
    if (!contains(kLevel1, form.set) && !contains(kLevels2And3, form.set)) continue;
    if (!mnemonics.insert(form.mnemonic).second) continue;
    if (!find_row(form.mnemonic)) missing += std::string(" ") + ZydisMnemonicGetString(form.mnemonic);
  }
  std::printf("%zu mnemonics\n", mnemonics.size());
  EXPECT_EQ(missing, "");
  EXPECT_GT(mnemonics.size(), 700u);
}

TEST(CpuidTable, a_host_of_x86_64_v1_executes_everything_of_x86_64_v1_and_nothing_that_it_lacks) {
  const PretendHost v1{Host{}};
  OneInstruction machine;
  unsigned executed = 0, undefined = 0;
  for (const CatalogForm& form : catalog()) {
    if (contains(kLevel1, form.set) && !is_meant_to_be_undefined(form)) {
      EXPECT_EQ(machine.run(form), Outcome::executed) << text(form);
      ++executed;
    }
    for (const CpuidBit& bit : cpuid_bits()) {
      if (!bit.needs || !belongs(form, bit)) continue;
      EXPECT_EQ(machine.run(form), Outcome::undefined) << bit.name << ": " << text(form);
      ++undefined;
    }
  }
  std::printf("%u forms executed, %u undefined\n", executed, undefined);
  EXPECT_GT(executed, 800u);
  EXPECT_GT(undefined, 500u);
  for (const CpuidBit& bit : cpuid_bits()) {
    Bus::CpuidResult offered = executed_bits(bit.leaf, bit.subleaf, host());
    EXPECT_EQ(word_of(offered, bit.reg) >> bit.bit & 1, bit.needs ? 0u : 1u) << bit.name;
  }
}

}  // namespace
}  // namespace mock::cpu
