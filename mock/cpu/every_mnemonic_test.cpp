// Every mnemonic that Zydis knows, in real, 32-bit and 64-bit mode: an encoding of each is looked for in the opcode
// maps and run once at privilege 0 on a CPU whose CPUID offers everything. It is executed (also: it faults or stops for
// its owner), or undefined for a reason that has a name, or not modelled and listed here with the reason. The counts
// are printed; an instruction that changes its class without these tables fails.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/dispatch.hpp"
#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

enum class Mode { real, protected32, long64 };
constexpr Mode kModes[] = {Mode::real, Mode::protected32, Mode::long64};

using Bytes = std::vector<u8>;
using Found = std::map<ZydisMnemonic, Bytes>;

struct Named {
  ZydisMnemonic mnemonic;
  const char* reason;
};

// Not modelled: KVM_EXIT_INTERNAL_ERROR with a log line. None at the moment.
constexpr std::array<Named, 0> kUnmodelled;

// Undefined in the test's state, in every mode and in one.
constexpr Named kUndefined[] = {
    {ZYDIS_MNEMONIC_RSM, "outside SMM"},
    {ZYDIS_MNEMONIC_UD0, "always"},
    {ZYDIS_MNEMONIC_UD1, "always"},
    {ZYDIS_MNEMONIC_UD2, "always"},
};
constexpr const char* kNeedsSelectors = "selectors mean nothing in real mode";
constexpr Named kUndefinedInRealMode[] = {
    {ZYDIS_MNEMONIC_ARPL, kNeedsSelectors}, {ZYDIS_MNEMONIC_LAR, kNeedsSelectors},
    {ZYDIS_MNEMONIC_LLDT, kNeedsSelectors}, {ZYDIS_MNEMONIC_LSL, kNeedsSelectors},
    {ZYDIS_MNEMONIC_LTR, kNeedsSelectors},  {ZYDIS_MNEMONIC_SLDT, kNeedsSelectors},
    {ZYDIS_MNEMONIC_STR, kNeedsSelectors},  {ZYDIS_MNEMONIC_VERR, kNeedsSelectors},
    {ZYDIS_MNEMONIC_VERW, kNeedsSelectors},
};
constexpr Named kUndefinedIn64BitMode[] = {
    {ZYDIS_MNEMONIC_SYSENTER, "AMD: not in long mode"},
    {ZYDIS_MNEMONIC_SYSEXIT, "AMD: not in long mode"},
};

ZydisDecoder decoder_of(Mode mode) {
  ZydisDecoder decoder;
  switch (mode) {
    case Mode::real:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
      break;
    case Mode::protected32:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
      break;
    case Mode::long64:
      ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
      break;
  }
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
  return decoder;
}

// Knows what decode.cpp's decoders take for NOPs or nothing: MPX, CET, and the instructions of Knights Corner.
ZydisDecoder decoder_of_everything(Mode mode) {
  ZydisDecoder decoder = decoder_of(mode);
  for (const ZydisDecoderMode extension : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_KNC})
    ZydisDecoderEnableMode(&decoder, extension, ZYAN_TRUE);
  return decoder;
}

// The first bytes of an instruction; zeros follow. Millions of them are tried, so they live on the stack.
class Start {
 public:
  Start(std::initializer_list<u8> bytes) {
    for (const u8 byte : bytes) add(byte);
  }
  Start& add(u8 byte) {
    bytes_[size_++] = byte;
    return *this;
  }
  Start& add(const Start& more) {
    for (unsigned i = 0; i < more.size_; ++i) add(more.bytes_[i]);
    return *this;
  }
  const std::array<u8, ZYDIS_MAX_INSTRUCTION_LENGTH>& bytes() const { return bytes_; }

 private:
  std::array<u8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes_{};
  unsigned size_ = 0;
};

class Search {
 public:
  Search(Mode mode, const ZydisDecoder& decoder) : mode_(mode), decoder_(decoder) {}

  Found run() {
    legacy_maps();
    vex_maps();
    evex_maps(4);
    evex_maps(0);  // MVEX
    return std::move(found_);
  }

 private:
  // The first encoding of a mnemonic counts.
  void look(const Start& start) {
    const auto& code = start.bytes();
    ZydisDecodedInstruction instruction;
    ZydisDecoderContext context;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, &context, code.data(), code.size(), &instruction)))
      return;
    if (is_found_[instruction.mnemonic]) return;
    is_found_[instruction.mnemonic] = true;
    found_[instruction.mnemonic] = Bytes(code.begin(), code.begin() + instruction.length);
  }

  // All ModRM bytes that may matter: [BX+SI or RAX], and with a SIB byte of 0; of registers all, or one.
  void with_modrm(const Start& opcode, bool all_registers) {
    for (unsigned modrm = 0; modrm < 256; ++modrm) {
      const unsigned rm = modrm & 7, mod = modrm >> 6;
      if (mod == 1 || mod == 2 || (mod == 0 && rm != 0 && rm != 4)) continue;
      if (mod == 3 && !all_registers && rm != 0) continue;
      look(Start(opcode).add(static_cast<u8>(modrm)));
    }
  }

  void legacy_maps() {
    const std::vector<Start> maps = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    for (const Start& prefix : std::vector<Start>{{}, {0x66}, {0xf2}, {0xf3}, {0x67}, {0x66, 0xf2}})
      for (const Start& rex : mode_ == Mode::long64 ? std::vector<Start>{{}, {0x48}} : std::vector<Start>{{}})
        for (const Start& map : maps)
          for (unsigned opcode = 0; opcode < 256; ++opcode)
            with_modrm(Start(prefix).add(rex).add(map).add(static_cast<u8>(opcode)), true);
    // 3DNow! has its opcode behind the operands.
    for (unsigned opcode = 0; opcode < 256; ++opcode) look({0x0f, 0x0f, 0xc0, static_cast<u8>(opcode)});
  }

  // VEX.C4h and XOP.8Fh: map in byte 1, W, L, pp in byte 2; register fields inverted.
  void vex_maps() {
    const auto three_bytes = [this](u8 escape, unsigned map) {
      for (unsigned w = 0; w < 2; ++w)
        for (unsigned l = 0; l < 2; ++l)
          for (unsigned pp = 0; pp < 4; ++pp)
            for (const unsigned v : {15u, 13u})  // AMX wants three different registers
              for (unsigned opcode = 0; opcode < 256; ++opcode)
                with_modrm({escape, static_cast<u8>(0xe0 | map), static_cast<u8>(w << 7 | v << 3 | l << 2 | pp),
                            static_cast<u8>(opcode)},
                           false);
    };
    for (const unsigned map : {1u, 2u, 3u}) three_bytes(0xc4, map);
    for (const unsigned map : {8u, 9u, 10u}) three_bytes(0x8f, map);
  }

  // EVEX and MVEX: with and without a mask register, all vector lengths; MVEX has an eviction hint.
  void evex_maps(unsigned fixed_bit) {
    for (const unsigned map : {1u, 2u, 3u, 5u, 6u})
      for (unsigned w = 0; w < 2; ++w)
        for (const unsigned l : {0u, 2u})
          for (unsigned pp = 0; pp < 4; ++pp)
            for (unsigned opcode = 0; opcode < 256; ++opcode)
              for (const unsigned rest :
                   fixed_bit ? std::vector<unsigned>{8, 9} : std::vector<unsigned>{8, 9, 0x88, 0x89})
                with_modrm({0x62, static_cast<u8>(0xf0 | map), static_cast<u8>(w << 7 | 15 << 3 | fixed_bit | pp),
                            static_cast<u8>(l << 5 | rest), static_cast<u8>(opcode)},
                           false);
  }

  Mode mode_;
  ZydisDecoder decoder_;
  Found found_;
  std::array<bool, ZYDIS_MNEMONIC_MAX_VALUE + 1> is_found_{};
};

// CPUID offers everything, so that nothing is undefined for want of a bit.
class GenerousBus : public FlatBus {
 public:
  using FlatBus::FlatBus;
  CpuidResult cpuid(u32 leaf, u32) override {
    if (leaf == 0) return {0x20, 0, 0, 0};
    if (leaf == 0x80000000) return {0x80000020, 0, 0, 0};
    if (leaf == 0x80000008) return {48, 0, 0, 0};
    if (leaf == 0xd) return {7, 832, 832, 0};
    return {~0u, ~0u, ~0u, ~0u};
  }
};

enum class Class { executed, undefined, unmodelled };

constexpr u64 kRamBytes = 0x20000;

// #UD leads here; no other vector has a gate.
constexpr u64 kUdHandler = 0x600;
void put_ud_gate(Mode mode, GenerousBus& bus, State& s) {
  constexpr u64 kGdt = 0x3000, kIdt = 0x2000;
  const auto put = [&bus](u64 address, u64 value) { std::memcpy(bus.ram() + address, &value, sizeof value); };
  if (mode == Mode::real) return put(UD * 4, kUdHandler);
  put(kGdt + 8, mode == Mode::long64 ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
  put(kIdt + UD * (mode == Mode::long64 ? 16 : 8), pack_gate(8, kUdHandler, kInterruptGate32, 0));
  s.gdtr = {.base = kGdt, .limit = 15};
  s.idtr = {.base = kIdt, .limit = 0xfff};
}

Class run_once(Mode mode, const Bytes& code) {
  FlatMachine m(kRamBytes);
  GenerousBus bus(kRamBytes);
  Cpu cpu(bus);
  std::memcpy(bus.ram() + 0x1000, code.data(), code.size());
  State& s = cpu.state();
  m.load(0x1000, {reinterpret_cast<const char*>(code.data()), code.size()});
  switch (mode) {
    case Mode::real:
      m.real_mode(0x1000);
      break;
    case Mode::protected32:
      m.protected_mode(0x1000);
      break;
    case Mode::long64:
      m.long_mode(0x1000, 0x10000);
      break;
  }
  // The machine's state and memory, on the other bus.
  std::memcpy(bus.ram(), m.bus.ram(), kRamBytes);
  const State& from = m.s();
  s.seg = from.seg;
  s.cr0 = from.cr0 & ~u64{CR0_CD | CR0_NW};
  s.cr3 = from.cr3;
  s.cr4 = from.cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE | CR4_PKE;
  s.efer = from.efer | EFER_SCE;
  s.rip = 0x1000;
  for (u64& r : s.gpr) r = 0x4000;
  s.gpr[RCX] = 1;
  s.gpr[RSP] = 0x8000;
  s.fpu.xcr0 = 7;
  cpu.state_changed();
  put_ud_gate(mode, bus, s);
  const Stop stop = cpu.run(1);
  if (stop == Stop::unmodelled) return Class::unmodelled;
  return s.rip == kUdHandler ? Class::undefined : Class::executed;
}

const char* reason_in(std::span<const Named> table, ZydisMnemonic mnemonic) {
  for (const Named& named : table)
    if (named.mnemonic == mnemonic) return named.reason;
  return nullptr;
}

const char* why_undefined(Mode mode, const ZydisDecodedInstruction& instruction) {
  if (is_absent(instruction)) return ZydisISAExtGetString(instruction.meta.isa_ext);
  if (instruction.meta.isa_ext == ZYDIS_ISA_EXT_SVM) return "EFER.SVME is 0";
  if (mode == Mode::real && instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) return "VEX in real mode";
  const char* reason = reason_in(kUndefined, instruction.mnemonic);
  if (!reason && mode == Mode::real) reason = reason_in(kUndefinedInRealMode, instruction.mnemonic);
  if (!reason && mode == Mode::long64) reason = reason_in(kUndefinedIn64BitMode, instruction.mnemonic);
  return reason;
}

ZydisDecodedInstruction decode(Mode mode, const Bytes& code) {
  ZydisDecodedInstruction instruction;
  ZydisDecoderContext context;
  const ZydisDecoder decoder = decoder_of(mode);
  ZydisDecoderDecodeInstruction(&decoder, &context, code.data(), code.size(), &instruction);
  return instruction;
}

void check(Mode mode, const char* mode_name) {
  const Found found = Search(mode, decoder_of(mode)).run();
  std::map<Class, unsigned> counts;
  std::map<std::string, unsigned> reasons;
  for (const auto& [mnemonic, code] : found) {
    const char* const name = ZydisMnemonicGetString(mnemonic);
    const Class outcome = run_once(mode, code);
    ++counts[outcome];
    if (outcome == Class::executed) continue;
    const char* const reason =
        outcome == Class::unmodelled ? reason_in(kUnmodelled, mnemonic) : why_undefined(mode, decode(mode, code));
    EXPECT_NE(reason, nullptr) << name << (outcome == Class::unmodelled ? " is not modelled" : " is undefined")
                               << " in mode " << mode_name;
    if (reason) ++reasons[reason];
  }
  std::printf("%s: %zu mnemonics, %u executed, %u undefined, %u not modelled\n", mode_name, found.size(),
              counts[Class::executed], counts[Class::undefined], counts[Class::unmodelled]);
  for (const auto& [reason, count] : reasons) std::printf("  %4u %s\n", count, reason.c_str());
}

TEST(EveryMnemonic, in_real_mode) { check(Mode::real, "real"); }
TEST(EveryMnemonic, in_32_bit_protected_mode) { check(Mode::protected32, "protected32"); }
TEST(EveryMnemonic, in_64_bit_mode) { check(Mode::long64, "long64"); }

// Which of all mnemonics the search finds no encoding for in any mode.
TEST(EveryMnemonic, has_an_encoding_that_the_search_finds) {
  std::set<ZydisMnemonic> all;
  for (const Mode mode : kModes)
    for (const auto& [mnemonic, code] : Search(mode, decoder_of_everything(mode)).run()) all.insert(mnemonic);
  for (unsigned i = 1; i <= ZYDIS_MNEMONIC_MAX_VALUE; ++i) {
    const auto mnemonic = static_cast<ZydisMnemonic>(i);
    if (!all.count(mnemonic)) ADD_FAILURE() << ZydisMnemonicGetString(mnemonic);
  }
}

}  // namespace
}  // namespace mock::cpu
