// KVM_EXIT_IO from INS and OUTS: element sizes, REP, the direction flag, page crossings. INS with REP asks for many
// elements with one exit (count > 1), OUTS hands over one element per exit. api.rst section 5, KVM_EXIT_IO ("packed
// array").
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using guests::kMmioBase;
constexpr auto kSecondPage = kData + 0x1000;

constexpr auto put_text = [](Machine& m) { m.poke_text(kData, "abcdefghijkl"); };

constexpr GuestCase kOuts[] = {
    {.name = "outsb_sends_the_byte_at_rsi",
     .guest = Guest::outsb,
     .start = {.rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 1, "a"), hlt()},
     .finish = {.rsi = kData + 1}},
    {.name = "outsw_sends_the_word_at_rsi",
     .guest = Guest::outsw,
     .start = {.rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 2, "ab"), hlt()},
     .finish = {.rsi = kData + 2}},
    {.name = "outsl_sends_the_dword_at_rsi",
     .guest = Guest::outsl,
     .start = {.rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 4, "abcd"), hlt()},
     .finish = {.rsi = kData + 4}},
    {.name = "rep_outsb_exits_once_per_byte",
     .guest = Guest::rep_outsb,
     .start = {.rcx = 3, .rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 1, "a"), io_out(0x20, 1, "b"), io_out(0x20, 1, "c"), hlt()},
     .finish = {.rcx = 0, .rsi = kData + 3},
     .status = Abi::observed},
    {.name = "rep_outsw_exits_once_per_word",
     .guest = Guest::rep_outsw,
     .start = {.rcx = 3, .rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 2, "ab"), io_out(0x20, 2, "cd"), io_out(0x20, 2, "ef"), hlt()},
     .finish = {.rcx = 0, .rsi = kData + 6},
     .status = Abi::observed},
    {.name = "rep_outsl_exits_once_per_dword",
     .guest = Guest::rep_outsl,
     .start = {.rcx = 3, .rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 4, "abcd"), io_out(0x20, 4, "efgh"), io_out(0x20, 4, "ijkl"), hlt()},
     .finish = {.rcx = 0, .rsi = kData + 12},
     .status = Abi::observed},
    {.name = "rep_with_rcx_0_does_not_exit",
     .guest = Guest::rep_outsb,
     .start = {.rcx = 0, .rsi = kData},
     .exits = {hlt()},
     .finish = {.rcx = 0, .rsi = kData}},
    {.name = "direction_flag_walks_down",
     .guest = Guest::rep_outsb_down,
     .start = {.rcx = 3, .rsi = kData + 2},
     .prepare = put_text,
     .exits = {io_out(0x20, 1, "c"), io_out(0x20, 1, "b"), io_out(0x20, 1, "a"), hlt()},
     .finish = {.rcx = 0, .rsi = kData - 1}},
    {.name = "element_across_two_pages_is_whole",
     .guest = Guest::outsl,
     .start = {.rsi = kData + 0xffe},
     .prepare = [](Machine& m) { m.poke_text(kData + 0xffe, "wxyz"); },
     .exits = {io_out(0x20, 4, "wxyz"), hlt()},
     .finish = {.rsi = kData + 0x1002}},
    {.name = "rep_exits_with_rip_on_the_instruction",
     .guest = Guest::rep_outsb,
     .start = {.rcx = 2, .rsi = kData},
     .prepare = put_text,
     .exits = {io_out(0x20, 1, "a").at("the_instruction"), io_out(0x20, 1, "b").at("the_instruction"), hlt()},
     .status = Abi::observed},
};
KVM_ROWS("run.outs", "api.rst 5: KVM_EXIT_IO", kOuts);

constexpr GuestCase kIns[] = {
    {.name = "insb_stores_the_byte_at_rdi",
     .guest = Guest::insb,
     .start = {.rdi = kData},
     .exits = {io_in(0x20, 1, "a"), hlt()},
     .finish = {.rdi = kData + 1},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 2), std::string("a\0", 2)); }},
    {.name = "insw_stores_the_word_at_rdi",
     .guest = Guest::insw,
     .start = {.rdi = kData},
     .exits = {io_in(0x20, 2, "ab"), hlt()},
     .finish = {.rdi = kData + 2},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 3), std::string("ab\0", 3)); }},
    {.name = "insl_stores_the_dword_at_rdi",
     .guest = Guest::insl,
     .start = {.rdi = kData},
     .exits = {io_in(0x20, 4, "abcd"), hlt()},
     .finish = {.rdi = kData + 4},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 5), std::string("abcd\0", 5)); }},
    {.name = "rep_insb_asks_for_all_bytes_at_once",
     .guest = Guest::rep_insb,
     .start = {.rcx = 5, .rdi = kData},
     .exits = {io_in(0x20, 1, "abcde", 5), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 5},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 6), std::string("abcde\0", 6)); },
     .status = Abi::observed},
    {.name = "rep_insw_asks_for_all_words_at_once",
     .guest = Guest::rep_insw,
     .start = {.rcx = 3, .rdi = kData},
     .exits = {io_in(0x20, 2, "abcdef", 3), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 6},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 7), std::string("abcdef\0", 7)); },
     .status = Abi::observed},
    {.name = "rep_insl_asks_for_all_dwords_at_once",
     .guest = Guest::rep_insl,
     .start = {.rcx = 3, .rdi = kData},
     .exits = {io_in(0x20, 4, "abcdefghijkl", 3), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 12},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 12), "abcdefghijkl"); },
     .status = Abi::observed},
    {.name = "batch_ends_at_the_page_boundary",
     .guest = Guest::rep_insb,
     .start = {.rcx = 5, .rdi = kData + 0xffe},
     .exits = {io_in(0x20, 1, "ab", 2), io_in(0x20, 1, "cde", 3), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 0x1003},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData + 0xffe, 5), "abcde"); },
     .status = Abi::observed},
    {.name = "element_across_two_pages_is_stored_whole",
     .guest = Guest::insl,
     .start = {.rdi = kData + 0xffe},
     .exits = {io_in(0x20, 4, "wxyz"), hlt()},
     .finish = {.rdi = kData + 0x1002},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData + 0xffe, 4), "wxyz"); }},
    {.name = "direction_flag_walks_down_in_memory",
     .guest = Guest::rep_insb_down,
     .start = {.rcx = 3, .rdi = kData + 0x12},
     .exits = {io_in(0x20, 1, "abc", 3), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 0xf},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData + 0x10, 3), "cba"); },
     .status = Abi::observed},
    // Offset 2 in the page: two elements fit "below" it by the kernel's count, the third comes alone.
    {.name = "batch_going_down_ends_at_the_page_boundary",
     .guest = Guest::rep_insb_down,
     .start = {.rcx = 3, .rdi = kData + 2},
     .exits = {io_in(0x20, 1, "ab", 2), io_in(0x20, 1, "c"), hlt()},
     .finish = {.rcx = 0, .rdi = kData - 1},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 3), "cba"); },
     .status = Abi::observed},
    {.name = "to_a_device_upwards_writes_what_was_read_in_words",
     .guest = Guest::rep_insb,
     .modes = {Mode::prot32, Mode::long64},
     .start = {.rcx = 15, .rdi = kMmioBase},
     .exits = {io_in(0x20, 1, "abcdefghijklmno", 15), mmio_write(kMmioBase, "abcdefgh"),
               mmio_write(kMmioBase + 8, "ijklmno"), hlt()},
     .finish = {.rcx = 0, .rdi = kMmioBase + 15},
     .status = Abi::observed},
    {.name = "to_a_device_downwards_asks_again_after_each_element",
     .guest = Guest::rep_insb_down,
     .modes = {Mode::prot32, Mode::long64},
     .start = {.rcx = 3, .rdi = kMmioBase + 0x12},
     .exits = {io_in(0x20, 1, "abc", 3),
               mmio_write(kMmioBase + 0x12, "a").then([](Machine& m) { EXPECT_EQ(m.regs().rcx, 2u); }),
               io_in(0x20, 1, "bx", 2),
               mmio_write(kMmioBase + 0x11, "b").then([](Machine& m) { EXPECT_EQ(m.regs().rcx, 1u); }),
               io_in(0x20, 1, "c"), mmio_write(kMmioBase + 0x10, "c"), hlt()},
     .finish = {.rcx = 0, .rdi = kMmioBase + 0xf},
     .status = Abi::observed},
    {.name = "fault_on_the_second_page_leaves_what_lies_on_the_first",
     .guest = Guest::insl,
     .modes = {Mode::paged32, Mode::pae32, Mode::long64},
     .start = {.rdi = kSecondPage - 2},
     .prepare = [](Machine& m) { m.change_pte(kSecondPage, 0, 1); },
     .exits = {io_in(0x20, 4, "wxyz"), taken(14)},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kSecondPage - 2, 2), "wx"); },
     .status = Abi::observed,
     .source = "emulate.c, emulator_read_write(): page by page"},
    {.name = "rep_with_rcx_0_does_not_exit", .guest = Guest::rep_insb, .start = {.rdi = kData}, .exits = {hlt()}},
};
KVM_ROWS("run.ins", "api.rst 5: KVM_EXIT_IO", kIns);

// The emulator's buffer for INS holds 1024 bytes.
KVM_TEST("run.ins", "batch_is_at_most_1024_bytes", "pio_in_emulated", {.status = Abi::observed})(Ctx& t) {
  Machine m(t, Guest::rep_insw, Mode::long64, {.rcx = 1000, .rdi = guests::kSpare});
  unsigned done = 0;
  while (done < 1000) {
    ASSERT_THAT(m.run(), Returns(0));
    ASSERT_EQ(m.reason(), kvmapi::Exit::Io);
    const unsigned count = m.page().exit.as<kvmapi::kvm_exit_io>().count;
    EXPECT_EQ(count, done == 0 ? 512u : 488u);
    ASSERT_GT(count, 0u);
    const auto data = m.vcpu().pio_data();
    for (unsigned i = 0; i < data.size(); ++i) data[i] = static_cast<kvmapi::u8>((2 * done + i) * 7);
    done += count;
  }
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  for (unsigned i = 0; i < 2000; ++i) {
    ASSERT_EQ(m.peek<kvmapi::u8>(guests::kSpare + i), static_cast<kvmapi::u8>(i * 7)) << "byte " << i;
  }
}

// One element of a batch is taken at a time; immediate_exit ends the run between the batches, none is lost.
KVM_TEST("run.ins", "stopped_by_immediate_exit_goes_on_with_the_rest",
         "api.rst 5: operations are complete after re-entry", {.needs = {.cap = Cap::ImmediateExit}})
(Ctx& t) {
  Machine m(t, Guest::rep_insb, Mode::long64, {.rcx = 5, .rdi = kData + 0xffe});
  ASSERT_TRUE(run_to_exit(m, io_in(0x20, 1, "ab", 2), __FILE__, __LINE__));
  m.page().immediate_exit = 1;
  ASSERT_THAT(m.run(), FailsWith(EINTR));
  EXPECT_EQ(m.text_at(kData + 0xffe, 2), "ab");
  EXPECT_EQ(m.regs().rcx, 3u);
  m.page().immediate_exit = 0;
  ASSERT_TRUE(run_to_exit(m, io_in(0x20, 1, "cde", 3), __FILE__, __LINE__));
  ASSERT_TRUE(run_to_exit(m, hlt(), __FILE__, __LINE__));
  EXPECT_EQ(m.text_at(kData + 0xffe, 5), "abcde");
}

// Single steps to the instruction, whose operand is not there.
void step_to_fault(Machine& m) {
  m.change_pte(kData + 0x1000, 0, 1);
  m.t.must(m.vcpu().set_guest_debug({.control = kvmapi::kGuestdbgEnable | kvmapi::kGuestdbgSinglestep}));
  while (m.regs().rip != m.at("the_instruction"))
    ASSERT_TRUE(run_to_exit(m, exits_with(kvmapi::Exit::Debug), __FILE__, __LINE__));
}

// An instruction of KVM's emulator that ends with a fault ends no step.
KVM_TEST("run.ins", "that_faults_is_no_step", "x86_emulate_instruction", {.status = Abi::observed})(Ctx& t) {
  Machine m(t, Guest::rep_insl, Mode::long64, {.rcx = 4, .rdi = kData + 0x1000});
  step_to_fault(m);
  ASSERT_TRUE(run_to_exit(m, io_in(0x20, 4, "abcdefghijklmnop", 4), __FILE__, __LINE__));
  ASSERT_TRUE(run_to_exit(m, taken(14), __FILE__, __LINE__));
}

KVM_TEST("run.outs", "that_faults_in_a_step_pushes_no_tf", "kvm_check_and_inject_events", {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::outsb, Mode::long64, {.rsi = kData + 0x1000});
  step_to_fault(m);
  ASSERT_TRUE(run_to_exit(m, taken(14), __FILE__, __LINE__));
  EXPECT_EQ(m.frame(14).rflags & 0x100, 0u);
}

}  // namespace
}  // namespace conformance
