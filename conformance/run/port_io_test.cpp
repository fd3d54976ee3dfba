// KVM_EXIT_IO from IN and OUT: direction, size, port, count and data of each size; where RIP stands at the exit; what
// IN delivers. api.rst section 5, KVM_EXIT_IO. String instructions: string_io_test.cpp. Re-entry rules:
// completion_test.cpp.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

constexpr GuestCase kOut[] = {
    {.name = "byte_to_immediate_port", .guest = Guest::out_byte, .exits = {io_out(0x10, 1, "\x42"), hlt()}},
    {.name = "word_to_immediate_port", .guest = Guest::out_word, .exits = {io_out(0x10, 2, "\x43\x42"), hlt()}},
    {.name = "dword_to_immediate_port",
     .guest = Guest::out_dword,
     .exits = {io_out(0x10, 4, "\x45\x44\x43\x42"), hlt()}},
    {.name = "byte_to_port_in_dx", .guest = Guest::out_byte_dx, .exits = {io_out(0x3f8, 1, "\x42"), hlt()}},
    {.name = "word_to_port_in_dx", .guest = Guest::out_word_dx, .exits = {io_out(0x3f8, 2, "\x43\x42"), hlt()}},
    {.name = "dword_to_port_in_dx",
     .guest = Guest::out_dword_dx,
     .exits = {io_out(0x3f8, 4, "\x45\x44\x43\x42"), hlt()}},
    {.name = "exits_with_rip_on_the_instruction",
     .guest = Guest::out_byte,
     .exits = {io_out(0x10, 1, "\x42").at("the_out"), hlt().at("after_hlt")},
     .status = Abi::observed},
    {.name = "port_7e_exits_with_rip_after_the_instruction",
     .guest = Guest::out_7e,
     .exits = {io_out(0x7e, 1, "\x42").at("after"), hlt().at("after_hlt")},
     .status = Abi::observed,
     .source = "api.rst 7.31: KVM_X86_QUIRK_OUT_7E_INC_RIP"},
};
KVM_ROWS("run.out", "api.rst 5: KVM_EXIT_IO", kOut);

// EAX is 0x55555555 before; what the operand does not cover stays.
constexpr GuestCase kIn[] = {
    {.name = "byte_from_immediate_port",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42"), hlt()},
     .finish = {.rax = 0x55555542}},
    {.name = "word_from_immediate_port",
     .guest = Guest::in_word,
     .exits = {io_in(0x10, 2, "\x43\x42"), hlt()},
     .finish = {.rax = 0x55554243}},
    {.name = "dword_from_immediate_port",
     .guest = Guest::in_dword,
     .exits = {io_in(0x10, 4, "\x45\x44\x43\x42"), hlt()},
     .finish = {.rax = 0x42434445}},
    {.name = "byte_from_port_in_dx",
     .guest = Guest::in_byte_dx,
     .exits = {io_in(0x3f8, 1, "\x42"), hlt()},
     .finish = {.rax = 0x55555542}},
    {.name = "word_from_port_in_dx",
     .guest = Guest::in_word_dx,
     .exits = {io_in(0x3f8, 2, "\x43\x42"), hlt()},
     .finish = {.rax = 0x55554243}},
    {.name = "dword_from_port_in_dx",
     .guest = Guest::in_dword_dx,
     .exits = {io_in(0x3f8, 4, "\x45\x44\x43\x42"), hlt()},
     .finish = {.rax = 0x42434445}},
    {.name = "exits_with_rip_on_the_instruction",
     .guest = Guest::in_byte,
     .exits = {io_in(0x10, 1, "\x42").at("the_in"), hlt().at("after_hlt")},
     .status = Abi::observed},
    {.name = "value_can_go_out_again",
     .guest = Guest::in_then_out,
     .exits = {io_in(0x10, 1, "\x99"), io_out(0x11, 1, "\x99"), hlt()}},
};
KVM_ROWS("run.in", "api.rst 5: KVM_EXIT_IO", kIn);

KVM_TEST("run.out", "data_lies_inside_the_vcpu_mapping", "api.rst 5: data_offset is relative to kvm_run start")
(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::real);
  ASSERT_THAT(m.run(), Returns(0));
  const auto io = m.page().exit.as<kvmapi::kvm_exit_io>();
  const int mapping_bytes = t.must(t.system().get_vcpu_mmap_size());
  EXPECT_GE(io.data_offset, sizeof(kvmapi::kvm_run));
  EXPECT_LE(io.data_offset + io.size, static_cast<kvmapi::u64>(mapping_bytes));
}

KVM_TEST("run.out", "data_lies_in_the_second_page_of_the_mapping", "KVM_PIO_PAGE_OFFSET", {.status = Abi::observed})
(Ctx& t) {
  Machine m(t, Guest::out_byte, Mode::real);
  ASSERT_THAT(m.run(), Returns(0));
  EXPECT_EQ(m.page().exit.as<kvmapi::kvm_exit_io>().data_offset, kvmapi::kPageSize);
}

KVM_TEST("run.out", "every_exit_shows_the_new_byte", "api.rst 5: KVM_EXIT_IO")(Ctx& t) {
  Machine m(t, Guest::out_forever, Mode::long64);
  for (unsigned i = 0; i < 300; ++i) {
    const kvmapi::u8 byte = static_cast<kvmapi::u8>(i);
    ASSERT_TRUE(run_to_exit(m, io_out(0x10, 1, Bytes::of(byte)), __FILE__, __LINE__)) << "exit " << i;
  }
}

}  // namespace
}  // namespace conformance
