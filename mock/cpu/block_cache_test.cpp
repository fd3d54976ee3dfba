// The engine against itself: random programs run in whole blocks (linked, fused, without dead flags) and one
// instruction at a time must end in the same state; so must code that lies across pages or is rewritten while it runs.
#include <gtest/gtest.h>

#include <random>

#include "mock/cpu/block.hpp"
#include "mock/cpu/dispatch.hpp"
#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kCode = 0x10000, kData = 0x20000;

class Generator {
 public:
  explicit Generator(u64 seed) : random_(seed) {
    for (const auto rows_of : {binary_rows, unary_rows, move_rows, shift_rows, muldiv_rows, bits_rows})
      for (const Row& row : rows_of()) mnemonics_.push_back(row.mnemonic);
    // What compilers put before a conditional jump, more often.
    for (int i = 0; i < 12; ++i)
      for (const ZydisMnemonic m :
           {ZYDIS_MNEMONIC_CMP, ZYDIS_MNEMONIC_TEST, ZYDIS_MNEMONIC_DEC, ZYDIS_MNEMONIC_ADD, ZYDIS_MNEMONIC_SUB})
        mnemonics_.push_back(m);
  }

  // Straight code with forward conditional jumps, run `rounds` times by a counter in r15; ends with HLT.
  std::string program(unsigned length, unsigned rounds) {
    std::string code("\x41\xbf", 2);  // mov r15d, rounds
    code.append(reinterpret_cast<const char*>(&rounds), 4);
    const std::size_t start = code.size();
    std::size_t jump = 0;
    for (unsigned i = 0; i < length; ++i) {
      code += instruction();
      if (jump && random_() % 3 == 0) {
        code[jump] = static_cast<char>(code.size() - jump - 1);
        jump = 0;
      }
      if (!jump && random_() % 4 == 0) {
        code += static_cast<char>(0x70 | random_() % 16);
        jump = code.size();
        code += '\0';
      }
      if (jump && code.size() - jump > 100) {
        code[jump] = static_cast<char>(code.size() - jump - 1);
        jump = 0;
      }
    }
    if (jump) code[jump] = static_cast<char>(code.size() - jump - 1);
    code += std::string("\x41\xff\xcf\x0f\x85", 5);  // dec r15d; jnz start
    const s32 back = static_cast<s32>(start) - static_cast<s32>(code.size() + 4);
    code.append(reinterpret_cast<const char*>(&back), 4);
    code += '\xf4';
    return code;
  }

  u64 random() { return random_(); }

 private:
  std::string instruction() {
    for (;;) {
      ZydisEncoderRequest request{};
      request.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
      request.mnemonic = mnemonics_[random_() % mnemonics_.size()];
      request.operand_count = static_cast<ZyanU8>(random_() % 4);
      const unsigned bits = 8u << random_() % 4;
      bool has_memory = false;
      for (unsigned i = 0; i < request.operand_count; ++i) {
        ZydisEncoderOperand& operand = request.operands[i];
        const unsigned kind = random_() % 4;
        if (kind == 0 && !has_memory) {
          has_memory = true;
          operand.type = ZYDIS_OPERAND_TYPE_MEMORY;
          operand.mem.base = ZYDIS_REGISTER_RSI;
          operand.mem.displacement = static_cast<ZyanI64>(random_() % 64) * 8;
          operand.mem.size = static_cast<ZyanU16>(bits / 8);
        } else if (kind == 1 && i > 0) {
          operand.type = ZYDIS_OPERAND_TYPE_IMMEDIATE;
          operand.imm.s = static_cast<s8>(random_());
        } else {
          operand.type = ZYDIS_OPERAND_TYPE_REGISTER;
          static constexpr unsigned kRegisters[] = {0, 1, 2, 3, 8, 9, 10, 11};
          const unsigned index = kRegisters[random_() % 8];
          operand.reg.value = static_cast<ZydisRegister>(
              bits == 8 ? (index < 4 ? ZYDIS_REGISTER_AL + index : ZYDIS_REGISTER_R8B + index - 8)
                        : (bits == 16   ? ZYDIS_REGISTER_AX
                           : bits == 32 ? ZYDIS_REGISTER_EAX
                                        : ZYDIS_REGISTER_RAX) +
                              static_cast<int>(index));
        }
      }
      u8 code[15];
      ZyanUSize length = sizeof code;
      if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, code, &length))) continue;
      // A bit number in a register reaches anywhere in memory, the code included: another test's subject.
      if (has_memory && (request.mnemonic == ZYDIS_MNEMONIC_BT || request.mnemonic == ZYDIS_MNEMONIC_BTS ||
                         request.mnemonic == ZYDIS_MNEMONIC_BTR || request.mnemonic == ZYDIS_MNEMONIC_BTC))
        continue;
      return {reinterpret_cast<const char*>(code), length};
    }
  }

  std::mt19937_64 random_;
  std::vector<ZydisMnemonic> mnemonics_;
};

void set_up(FlatMachine& m, const std::string& code, u64 at, u64 seed) {
  m.load(at, code);
  m.long_mode(at);
  m.s().idtr.limit = 0;  // an exception (division) ends the program
  std::mt19937_64 random(seed);
  for (u64& r : m.s().gpr) r = random();
  for (unsigned i = 0; i < 1024; i += 8) m.poke<u64>(kData + i, random());
  m.reg(RSI) = kData;
  m.reg(RSP) = 0x8000;
}

void expect_same(FlatMachine& a, FlatMachine& b, u64 seed) {
  EXPECT_EQ(a.s().gpr, b.s().gpr) << "seed " << seed;
  EXPECT_EQ(a.s().rip, b.s().rip) << "seed " << seed;
  EXPECT_EQ(a.cpu.rflags(), b.cpu.rflags()) << "seed " << seed;
  EXPECT_EQ(a.cpu.instructions_retired(), b.cpu.instructions_retired()) << "seed " << seed;
  EXPECT_EQ(std::memcmp(a.bus.ram() + kData, b.bus.ram() + kData, 4096), 0) << "seed " << seed;
}

TEST(BlockCache, whole_blocks_and_single_steps_agree_on_random_programs) {
  for (u64 seed = 1; seed <= 60; ++seed) {
    Generator generator(seed);
    const std::string code = generator.program(40, 5);
    const u64 at = kCode + (seed % 2 ? 0 : 0xf80);  // every other one crosses a page
    FlatMachine whole, single;
    set_up(whole, code, at, seed);
    set_up(single, code, at, seed);
    const Stop end = whole.cpu.run(1000000);
    ASSERT_TRUE(end == Stop::hlt || end == Stop::shutdown) << "seed " << seed;
    Stop stop = Stop::budget;
    for (u64 i = 0; i < 1000000 && stop == Stop::budget; ++i) stop = single.cpu.run(1);
    EXPECT_EQ(stop, end) << "seed " << seed;
    expect_same(whole, single, seed);
    if (HasFailure()) break;
  }
}

TEST(BlockCache, any_budget_leaves_the_same_state_as_single_steps) {
  Generator generator(99);
  const std::string code = generator.program(60, 3);
  FlatMachine single;
  set_up(single, code, kCode, 7);
  for (u64 n = 1; n < 150; ++n) {
    FlatMachine whole;
    set_up(whole, code, kCode, 7);
    const Stop a = whole.cpu.run(n), b = single.cpu.run(1);
    ASSERT_EQ(a, b) << n;
    if (a != Stop::budget) break;
    expect_same(whole, single, n);
    if (HasFailure()) break;
  }
}

// inc %eax; jmp next page's first instruction ...: one instruction across two pages, then the second page's bytes
// change.
TEST(BlockCache, an_instruction_across_pages_is_seen_when_either_page_changes) {
  FlatMachine m;
  m.load(0x1ffe, std::string_view("\xb8\x11\x22\x33\x44\xf4", 6));  // mov $0x44332211, %eax; hlt
  m.protected_mode(0x1ffe);
  EXPECT_EQ(m.cpu.run(10), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 0x44332211u);
  m.poke<u8>(0x2001, 0x55);
  m.s().rip = 0x1ffe;
  EXPECT_EQ(m.cpu.run(10), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 0x44552211u);
}

TEST(BlockCache, a_guest_store_to_the_second_page_of_an_instruction_takes_effect) {
  FlatMachine m;
  // At 0x1000: movb $0x66, 0x2001; then jump to the instruction across the pages, twice.
  const std::string_view code(
      "\xb9\x02\x00\x00\x00"          // mov $2, %ecx
      "\xe8\xf4\x0f\x00\x00"          // 1: call 0x1ffe
      "\xc6\x05\x01\x20\x00\x00\x66"  // movb $0x66, 0x2001
      "\xe2\xf2\xf4",                 // loop 1b; hlt
      20);
  m.load(0x1000, code);
  m.load(0x1ffe, std::string_view("\xb8\x11\x22\x33\x44\xc3", 6));
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(100), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 0x44662211u);
}

TEST(BlockCache, writes_beside_code_leave_its_blocks_alone) {
  FlatMachine m;
  // inc %eax; mov %eax, 0x1100; loop; hlt - data in the page of the code.
  m.load(0x1000, std::string_view("\x40\xa3\x00\x11\x00\x00\xe2\xf8\xf4", 9));
  m.protected_mode(0x1000);
  m.reg(RCX) = 100;
  EXPECT_EQ(m.cpu.run(1000), Stop::hlt);
  EXPECT_EQ(m.peek<u32>(0x1100), 100u);
  EXPECT_LE(m.cpu.core().blocks->block_count, 4u);
}

TEST(BlockCache, a_write_kills_what_it_touches_and_nothing_else) {
  FlatMachine m;
  BlockCache& cache = *m.cpu.core().blocks;
  u8* const page = m.bus.ram() + 0x3000;
  m.load(0x1000, std::string(100, '\x40') + '\xf4');        // four blocks, of 32, 32, 32 and 5 bytes
  m.load(0x10c0, std::string_view("\x40\xf4", 2));          // one, in a line that no other block has
  m.load(0x2fff, std::string_view("\xb8\1\0\0\0\xf4", 6));  // two: one has bytes of both pages
  for (const u64 start : {0x1000, 0x10c0, 0x2fff}) {
    m.protected_mode(start);
    ASSERT_EQ(m.cpu.run(200), Stop::hlt);
  }
  ASSERT_EQ(cache.block_count, 7u);
  EXPECT_FALSE(cache.write(m.bus.ram() + 0x1065, 0x5b));  // behind the code, in the same line
  EXPECT_FALSE(cache.write(m.bus.ram() + 0x1080, 0x40));  // a line without code
  EXPECT_EQ(cache.block_count, 7u);
  EXPECT_TRUE(cache.write(m.bus.ram() + 0x103f, 2));  // the end of the second block, the start of the third
  EXPECT_EQ(cache.block_count, 5u);
  EXPECT_FALSE(cache.write(m.bus.ram() + 0x1020, 64));  // which are gone
  EXPECT_TRUE(cache.write(m.bus.ram() + 0x1000, 0xc0));
  EXPECT_EQ(cache.block_count, 3u);
  EXPECT_TRUE(cache.has_code(m.bus.ram() + 0x1000));
  EXPECT_TRUE(cache.write(m.bus.ram() + 0x10c1, 1));
  EXPECT_FALSE(cache.has_code(m.bus.ram() + 0x1000));
  EXPECT_TRUE(cache.write(page + 3, 2));
  EXPECT_EQ(cache.block_count, 0u);
  EXPECT_FALSE(cache.has_code(page));
}

// mov $3, %ecx; rep movsb; hlt under TF; #DB: inc %ebx; iret. The handler's return leads to code that was stepped
// before.
TEST(BlockCache, every_iteration_traps_also_after_a_return_to_code_that_was_stepped_before) {
  constexpr u64 kIdt = 0x3000, kGdt = 0x4000, kHandler = 0x5000;
  const auto prepare = [](FlatMachine& m) {
    m.load(0x1000, std::string_view("\xb9\x03\x00\x00\x00\xf3\xa4\xf4", 8));
    m.load(kHandler, std::string_view("\x43\xcf", 2));
    m.poke<u64>(kGdt + 8, 0x00cf9b000000ffff);
    m.poke<u64>(kIdt + 8, 0x00008e0000080000 | kHandler);
    m.protected_mode(0x1000);
    m.s().gdtr = {kGdt, 0xff};
    m.s().idtr = {kIdt, 0xff};
    m.reg(RSI) = 0x6000;
    m.reg(RDI) = 0x6100;
    m.cpu.set_rflags(TF | kFlagsFixedOne);
    m.cpu.state_changed();
  };
  FlatMachine whole, single;
  prepare(whole);
  prepare(single);
  EXPECT_EQ(whole.cpu.run(100), Stop::hlt);
  Stop stop = Stop::budget;
  for (int i = 0; i < 100 && stop == Stop::budget; ++i) stop = single.cpu.run(1);
  EXPECT_EQ(stop, Stop::hlt);
  EXPECT_EQ(whole.reg(RBX), 4u);  // MOV and three iterations
  EXPECT_EQ(single.reg(RBX), 4u);
}

TEST(BlockCache, an_aliased_page_is_the_same_code) {
  FlatMachine m;
  m.load(0x1000, std::string_view("\x40\xf4", 2));
  m.protected_mode(0x1000);
  EXPECT_EQ(m.cpu.run(10), Stop::hlt);
  // The same bytes under another code segment base.
  m.s().seg[CS].base = 0xfffff000;
  m.s().rip = 0x2000;
  m.cpu.state_changed();
  EXPECT_EQ(m.cpu.run(10), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 2u);
}

}  // namespace
}  // namespace mock::cpu
