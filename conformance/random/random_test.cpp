// The parts of kvm-random that need no KVM: programs are repeatable and well-formed, differences are found and named.
#include <gmock/gmock.h>

#include "conformance/random/compare.hpp"
#include "conformance/random/fault.hpp"
#include "conformance/random/forms.hpp"
#include "conformance/random/limits.hpp"
#include "conformance/random/reduce.hpp"

namespace conformance::random {
namespace {

using testing::Contains;
using testing::Field;
using testing::IsEmpty;

TEST(Random, a_seed_gives_the_same_words_everywhere) {
  Random random(1);
  EXPECT_EQ(random.word(), 0x910a2dec89025cc1u);
  EXPECT_EQ(random.word(), 0xbeeb8da1658eec67u);
}

TEST(Program, is_the_same_for_the_same_mode_seed_and_number) {
  for (const Mode mode : kEveryMode) {
    const Code once = assemble(make_program({.seed = 7, .mode = mode}, 3));
    EXPECT_EQ(once.bytes, assemble(make_program({.seed = 7, .mode = mode}, 3)).bytes);
    EXPECT_NE(once.bytes, assemble(make_program({.seed = 8, .mode = mode}, 3)).bytes);
    EXPECT_NE(once.bytes, assemble(make_program({.seed = 7, .mode = mode}, 4)).bytes);
  }
}

TEST(Program, fits_its_place_and_its_jumps_lead_forward_to_chunks) {
  for (const Mode mode : kEveryMode) {
    for (u64 number = 0; number < 200; ++number) {
      const Program program = make_program({.mode = mode}, number);
      const Code code = assemble(program);
      ASSERT_LE(code.bytes.size(), kCodeEnd - kCode);
      ASSERT_EQ(code.starts.size(), program.chunks.size() + 1);
      EXPECT_EQ(code.bytes.back(), 0xf4);
      for (const Chunk& chunk : program.chunks) EXPECT_TRUE(!chunk.target.bytes || chunk.target.chunk > chunk.index);
    }
  }
}

TEST(Program, a_jump_to_a_chunk_that_was_left_out_leads_to_the_next) {
  Program program;
  for (u32 i = 0; i < 3; ++i) {
    Chunk chunk;
    chunk.index = i;
    chunk.byte(0x90);
    program.chunks.push_back(chunk);
  }
  Chunk& jump = program.chunks[0];
  jump.code[0] = 0xeb;
  jump.target = {.at = 1, .bytes = 1, .is_relative = true, .chunk = 1};
  jump.byte(0);
  EXPECT_EQ(assemble(program).bytes, (std::vector<u8>{0xeb, 0, 0x90, 0x90, 0xf4}));
  program.chunks.erase(program.chunks.begin() + 1);
  EXPECT_EQ(assemble(program).bytes, (std::vector<u8>{0xeb, 0, 0x90, 0xf4}));
  program.chunks.pop_back();
  EXPECT_EQ(assemble(program).bytes, (std::vector<u8>{0xeb, 0, 0xf4}));
}

TEST(Forms, have_known_families_and_weights) {
  for (const Form& form : forms()) {
    EXPECT_GT(form.weight, 0);
    EXPECT_LT(form.map, 4);
    EXPECT_LE(form.opcode + (form.count - 1) * form.step, 0xff) << int(form.opcode);
  }
  for (const std::string_view text : kFamilyNames) EXPECT_TRUE(family_from_name(text)) << text;
  EXPECT_FALSE(family_from_name("nonsense"));
  for (const std::string_view text : kFamilyNames) {
    const Family family = *family_from_name(text);
    const bool is_composite = family == Family::flow || family == Family::code;
    EXPECT_EQ(std::ranges::count(forms(), family, &Form::family) == 0, is_composite) << text;
  }
  EXPECT_FALSE(mode_from_name("nonsense"));
}

class Compared : public testing::Test {
 protected:
  Snapshot a, b;
  std::vector<u8> memory_a = std::vector<u8>(kRamBytes), memory_b = std::vector<u8>(kRamBytes);
  std::vector<FieldDifference> found() { return compare(a, b, memory_a, memory_b); }
  void both_exit(kvmapi::Exit reason) { a.run.exit_reason = b.run.exit_reason = static_cast<u32>(reason); }
};

TEST_F(Compared, equal_states_do_not_differ) { EXPECT_THAT(found(), IsEmpty()); }

TEST_F(Compared, registers_segments_memory_and_exits_are_looked_at) {
  b.regs.r9 = 1;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "regs.r9")));
  b.sregs.ds.limit = 1;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "sregs.ds.limit")));
  b.fpu.mxcsr = 1;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "fpu.mxcsr")));
  memory_b[0x1234] = 1;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "memory[0x1230]")));
  b.run.exit_reason = 5;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "exit_reason")));
  b.error = 4;
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "errno")));
}

TEST_F(Compared, what_an_exit_leaves_undefined_is_not) {
  b.events.exception.nr = 6;  // neither pending nor injected
  EXPECT_THAT(found(), IsEmpty());
  b.events.exception.pending = 1;
  EXPECT_FALSE(found().empty());
}

TEST_F(Compared, the_data_of_a_write_counts_that_of_a_read_does_not) {
  both_exit(kvmapi::Exit::Mmio);
  kvmapi::kvm_exit_mmio mmio{.phys_addr = kMmio, .data = {1}, .len = 1, .is_write = 0};
  a.run.exit.set(mmio);
  mmio.data = {2};
  b.run.exit.set(mmio);
  EXPECT_THAT(found(), IsEmpty());
  mmio.is_write = 1;
  b.run.exit.set(mmio);
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "mmio.is_write")));
  a.run.exit.set(kvmapi::kvm_exit_mmio{.phys_addr = kMmio, .data = {1}, .len = 1, .is_write = 1});
  EXPECT_THAT(found(), Contains(Field(&FieldDifference::path, "mmio.data")));
}

// A page fault of ADD [1000h], EAX in ring 0 of long mode, as the mock shows it.
class Limited : public Compared {
 protected:
  void SetUp() override {
    outcome.kind = Outcome::Kind::different;
    program.variant = {.mode = Mode::long64, .bits = 64, .ring = 0};
    for (u64 at = kHandlers; at < kHandlers + 0x800; at += 8) put(at, 0xf4);
    put(kCode, 0x03250401);  // ADD [disp32], EAX
    put(kCode + 4, 0x12000);
    both_exit(kvmapi::Exit::Hlt);
    a.regs.rip = b.regs.rip = handler(14) + 1;
    a.sregs.cs.l = b.sregs.cs.l = 1;
    a.regs.rsp = b.regs.rsp = kStack;
    const u64 frame[] = {2, kCode, kKernelCs, 0x10002, kStack + 0x30, kKernelDs};
    for (unsigned i = 0; i < 6; ++i) put(kStack + 8 * i, frame[i]);
  }
  void put(u64 at, u64 value) {
    std::memcpy(&memory_a[at], &value, 8);
    std::memcpy(&memory_b[at], &value, 8);
  }
  std::string_view limit() {
    outcome.a = a;
    outcome.b = b;
    outcome.fields = found();
    const Explanation why = explain(program, outcome, memory_a, memory_b);
    return why.limits.empty() ? "" : why.limits.front();
  }
  static constexpr u64 kStack = kKernelStack + 0x100;
  Program program;
  Outcome outcome;
};

TEST_F(Limited, a_handler_shows_the_fault) {
  const auto fault = fault_of(a, memory_a, Mode::long64);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->vector, 14u);
  EXPECT_EQ(fault->error_code, 2u);
  EXPECT_EQ(fault->rip, kCode);
  EXPECT_EQ(fault->rsp, kStack + 0x30);
}

TEST_F(Limited, the_read_of_a_read_modify_write_has_a_name) {
  memory_b[kStack] = 0;
  EXPECT_EQ(limit(), "read_modify_write_reads_first");
}

TEST_F(Limited, the_same_error_code_of_a_plain_store_has_none) {
  put(kCode, 0x03250489);  // MOV [disp32], EAX
  memory_b[kStack] = 0;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, another_bit_of_the_error_code_has_none) {
  memory_b[kStack] = 3;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, one_more_difference_has_none) {
  memory_b[kStack] = 0;
  b.regs.rcx = 1;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, overwritten_handlers_have_a_name) {
  b.regs.rcx = 1;
  put(kHandlers + 8, 0x90);
  EXPECT_EQ(limit(), "handlers_overwritten");
}

TEST_F(Limited, code_that_a_program_overwrites_has_a_name_unless_its_chunk_is_meant_to) {
  put(kCode, 0xf4f4f490);
  Chunk chunk;
  chunk.put(0xf590, 2);
  program.chunks.push_back(chunk);
  b.regs.rcx = 1;
  EXPECT_EQ(limit(), "code_overwritten");
  program.chunks[0].changes_itself = true;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, the_upper_half_after_a_bit_scan_has_a_name) {
  a.regs.rcx = 0x1'2345'6789;
  b.regs.rcx = 0x2345'6789;
  EXPECT_EQ(limit(), "") << "without a bit scan";
  Chunk chunk;
  chunk.put(0xc8bc0f, 3);  // BSF ECX, EAX
  program.chunks.push_back(chunk);
  put(kCode, 0xf4c8bc0f);
  EXPECT_EQ(limit(), "bit_scan_of_zero");
  b.regs.rcx = 0;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, x87_pointers_have_a_name_if_the_kernel_has_none) {
  a.fpu.last_opcode = 0x16;
  EXPECT_EQ(limit(), "x87_pointers");
  b.fpu.last_opcode = 0x17;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, traces_of_a_shutdown_have_a_name_and_other_memory_has_none) {
  both_exit(kvmapi::Exit::Shutdown);
  memory_b[0x15002] ^= 1;
  EXPECT_EQ(limit(), "traces_of_shutdown");
  memory_b[0x15003] ^= 0x40;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, rf_in_the_frame_has_a_name_and_other_flags_have_none) {
  memory_b[kStack + 0x1a] = 0;  // RF is the kernel's to keep too long, not the mock's
  EXPECT_EQ(limit(), "");
  put(kStack + 0x18, 2);
  memory_b[kStack + 0x1a] = 1;
  EXPECT_EQ(limit(), "rf_until_block_end");
  memory_b[kStack + 0x19] = 2;
  EXPECT_EQ(limit(), "");
}

TEST_F(Limited, a_shadow_after_sti_has_a_name_only_if_interrupts_were_enabled_before) {
  program.variant.single_step = true;
  program.chunks.emplace_back().put(0xfb, 1);
  put(kCode, 0xf4fb);
  both_exit(kvmapi::Exit::Debug);
  a.regs.rip = b.regs.rip = kCode + 1;
  b.events.interrupt.shadow = 3;
  outcome.before.regs.rip = kCode;
  EXPECT_EQ(limit(), "");
  outcome.before.regs.rflags = 0x202;
  EXPECT_EQ(limit(), "sti_shadows_again");
  b.regs.rcx = 1;
  EXPECT_EQ(limit(), "");
}

}  // namespace
}  // namespace conformance::random
