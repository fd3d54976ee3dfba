// KVM_EXIT_MMIO: an access to guest physical memory without a slot, or a write to a read-only one. Address, length,
// data and direction of each size; wider and page-crossing accesses come as fragments; a read-modify-write makes two
// exits. api.rst section 5, KVM_EXIT_MMIO. Where RIP stands at the exit is not documented.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using guests::kMmioBase;
using guests::kSpare;
constexpr kvmapi::u64 kAt = kMmioBase + 0x10;

constexpr GuestCase kWrite[] = {
    {.name = "byte", .guest = Guest::mmio_write_byte, .exits = {mmio_write(kAt, "\x11"), hlt()}},
    {.name = "word", .guest = Guest::mmio_write_word, .exits = {mmio_write(kAt, "\x22\x11"), hlt()}},
    {.name = "dword", .guest = Guest::mmio_write_dword, .exits = {mmio_write(kAt, "\x44\x33\x22\x11"), hlt()}},
    {.name = "qword",
     .guest = Guest::mmio_write_qword,
     .exits = {mmio_write(kAt, "\x88\x77\x66\x55\x44\x33\x22\x11"), hlt()}},
    {.name = "exits_with_rip_after_the_instruction",
     .guest = Guest::mmio_write_dword,
     .exits = {mmio_write(kAt, "\x44\x33\x22\x11").at("after"), hlt()},
     .status = Abi::observed},
    {.name = "across_two_pages_comes_in_two_fragments",
     .guest = Guest::mmio_write_crossing,
     .exits = {mmio_write(kMmioBase + 0xffe, "\x44\x33"), mmio_write(kMmioBase + 0x1000, "\x22\x11"), hlt()},
     .status = Abi::observed},
    {.name = "half_in_ram_exits_for_the_other_half",
     .guest = Guest::mmio_write_half_ram,
     .exits = {mmio_write(guests::kRamBytes, "\x22\x11"), hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<kvmapi::u16>(guests::kRamBytes - 2), 0x3344); },
     .status = Abi::observed},
    {.name = "of_16_bytes_comes_in_two_fragments_of_8",
     .guest = Guest::mmio_movdqu_write,
     .prepare = [](Machine& m) { m.poke_text(kData, "abcdefghijklmnop"); },
     .exits = {mmio_write(kAt, "abcdefgh"), mmio_write(kAt + 8, "ijklmnop"), hlt()},
     .status = Abi::observed},
    {.name = "of_a_selector_with_rex_w_has_8_bytes",
     .guest = Guest::mmio_write_selector_with_rex_w,
     .exits = {mmio_write(kAt, Bytes::of<kvmapi::u64>(8)).at("after"), hlt()},
     .status = Abi::observed},
    {.name = "two_instructions_make_two_exits",
     .guest = Guest::mmio_write_twice,
     .exits = {mmio_write(kAt, "\x11").at("second"), mmio_write(kAt + 1, "\x11").at("after"), hlt()},
     .status = Abi::observed},
    {.name = "rep_stosb_exits_once_per_byte",
     .guest = Guest::mmio_rep_stosb,
     .exits = {mmio_write(kAt, "\x77"), mmio_write(kAt + 1, "\x77"), mmio_write(kAt + 2, "\x77"), hlt()},
     .finish = {.rcx = 0},
     .status = Abi::observed},
    {.name = "rep_movsb_from_ram_exits_once_per_byte",
     .guest = Guest::mmio_rep_movsb_out,
     .prepare = [](Machine& m) { m.poke_text(kData, "abc"); },
     .exits = {mmio_write(kAt, "a"), mmio_write(kAt + 1, "b"), mmio_write(kAt + 2, "c"), hlt()},
     .finish = {.rcx = 0, .rsi = kData + 3},
     .status = Abi::observed},
};
KVM_ROWS("run.mmio_write", "api.rst 5: KVM_EXIT_MMIO", kWrite);

constexpr GuestCase kRead[] = {
    {.name = "byte",
     .guest = Guest::mmio_read_byte,
     .exits = {mmio_read(kAt, "\x11"), hlt()},
     .finish = {.rax = 0x55555511}},
    {.name = "word",
     .guest = Guest::mmio_read_word,
     .exits = {mmio_read(kAt, "\x22\x11"), hlt()},
     .finish = {.rax = 0x55551122}},
    {.name = "dword",
     .guest = Guest::mmio_read_dword,
     .exits = {mmio_read(kAt, "\x44\x33\x22\x11"), hlt()},
     .finish = {.rax = 0x11223344}},
    {.name = "qword",
     .guest = Guest::mmio_read_qword,
     .exits = {mmio_read(kAt, "\x88\x77\x66\x55\x44\x33\x22\x11"), hlt()},
     .finish = {.rax = 0x1122334455667788}},
    {.name = "zero_extended",
     .guest = Guest::mmio_movzx,
     .exits = {mmio_read(kAt, "\x80"), hlt()},
     .finish = {.rax = 0x80}},
    {.name = "sign_extended",
     .guest = Guest::mmio_movsx,
     .exits = {mmio_read(kAt, "\x80"), hlt()},
     .finish = {.rax = 0xffffff80}},
    {.name = "exits_with_rip_on_the_instruction",
     .guest = Guest::mmio_read_dword,
     .exits = {mmio_read(kAt, "\x44\x33\x22\x11").at("the_access"), hlt()},
     .status = Abi::observed},
    {.name = "across_two_pages_comes_in_two_fragments",
     .guest = Guest::mmio_read_crossing,
     .exits = {mmio_read(kMmioBase + 0xffe, "\x44\x33"), mmio_read(kMmioBase + 0x1000, "\x22\x11"), hlt()},
     .finish = {.rax = 0x11223344},
     .status = Abi::observed},
    {.name = "of_16_bytes_comes_in_two_fragments_of_8",
     .guest = Guest::mmio_movdqu_read,
     .exits = {mmio_read(kAt, "abcdefgh"), mmio_read(kAt + 8, "ijklmnop"), hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 16), "abcdefghijklmnop"); },
     .status = Abi::observed},
    {.name = "rep_movsb_to_ram_exits_once_per_byte",
     .guest = Guest::mmio_rep_movsb_in,
     .exits = {mmio_read(kAt, "a"), mmio_read(kAt + 1, "b"), mmio_read(kAt + 2, "c"), hlt()},
     .finish = {.rcx = 0, .rdi = kData + 3},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kData, 3), "abc"); },
     .status = Abi::observed},
    {.name = "of_leave_shows_the_new_stack_pointer",
     .guest = Guest::mmio_leave,
     .modes = Mode::long64,
     .exits = {mmio_read(kAt, "abcdefgh").then([](Machine& m) { EXPECT_EQ(m.regs().rsp, kAt); })},
     .status = Abi::observed},
    {.name = "of_a_far_pointer_comes_in_one_piece",
     .guest = Guest::mmio_far_pointer,
     .exits = {mmio_read(kAt, Bytes("\x44\x33\x22\x11\0\0")).at("the_access"), hlt()},
     .finish = {.rcx = 0x11223344},
     .status = Abi::observed},
    {.name = "sets_flags_of_a_compare",
     .guest = Guest::mmio_cmp,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(5)), hlt()},
     .finish = {.rflags = 0x46}},
};
KVM_ROWS("run.mmio_read", "api.rst 5: KVM_EXIT_MMIO", kRead);

// Every one needs two re-entries: one that takes the value read, one after the write.
constexpr GuestCase kReadModifyWrite[] = {
    {.name = "add_reads_then_writes_the_sum",
     .guest = Guest::mmio_add,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(40)), mmio_write(kAt, Bytes::of<kvmapi::u32>(42)), hlt()}},
    {.name = "add_stands_on_the_instruction_then_behind_it",
     .guest = Guest::mmio_add,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(40)).at("the_access"),
               mmio_write(kAt, Bytes::of<kvmapi::u32>(42)).at("after"), hlt()},
     .status = Abi::observed},
    {.name = "xchg_swaps_with_the_register",
     .guest = Guest::mmio_xchg,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(40)), mmio_write(kAt, Bytes::of<kvmapi::u32>(0x11223344)), hlt()},
     .finish = {.rax = 40}},
    {.name = "lock_inc_reads_then_writes_one_more",
     .guest = Guest::mmio_lock_inc,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(0xffffffff)), mmio_write(kAt, Bytes::of<kvmapi::u32>(0)), hlt()},
     .status = Abi::observed},
    {.name = "sldt_reads_the_place_before_it_writes",
     .guest = Guest::mmio_sldt,
     .exits = {mmio_read(kAt, Bytes::of<kvmapi::u32>(40)).at("the_access"), mmio_write(kAt, Bytes("\0\0")).at("after"),
               hlt()},
     .status = Abi::observed},
    {.name = "push_and_pop_of_a_segment_register_move_16_of_32_bits",
     .guest = Guest::mmio_push_pop_segment,
     .modes = {Mode::real, Mode::prot32},
     .exits = {mmio_write(kMmioBase + 0x1c, Bytes("\0\0")), mmio_read(kMmioBase + 0x1c, Bytes("\0\0")), hlt()},
     .status = Abi::observed},
    {.name = "push_then_pop_moves_through_the_stack",
     .guest = Guest::mmio_push_pop,
     .modes = Mode::long64,
     .exits = {mmio_read(kAt, "abcdefgh"), mmio_write(kAt + 0x10, "abcdefgh"), hlt()},
     .finish = {.rsp = guests::kStackTop}},
};
KVM_ROWS("run.mmio_read_modify_write", "api.rst 5: KVM_EXIT_MMIO", kReadModifyWrite);

// SPARE's eight pages leave slot 0; the first of them becomes a read-only slot of its own.
constexpr auto make_spare_readonly = [](Machine& m) {
  m.shrink_ram_to(kSpare);
  m.poke<kvmapi::u32>(kSpare + 0x10, 0x01020304);
  m.t.must(m.vm().set_user_memory_region(slot(1).gpa(kSpare).host(m.host(kSpare)).readonly()), "a read-only slot");
};

constexpr GuestCase kReadonlySlot[] = {
    {.name = "write_exits_and_leaves_memory_alone",
     .guest = Guest::ram_write_spare,
     .prepare = make_spare_readonly,
     .exits = {mmio_write(kSpare + 0x10, "\x44\x33\x22\x11"), hlt().at("after_hlt")},
     .needs = {.cap = Cap::ReadonlyMem},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<kvmapi::u32>(kSpare + 0x10), 0x01020304u); }},
    {.name = "read_comes_from_memory",
     .guest = Guest::ram_read_spare,
     .prepare = make_spare_readonly,
     .exits = {hlt().at("after_hlt")},
     .finish = {.rax = 0x01020304},
     .needs = {.cap = Cap::ReadonlyMem}},
};
KVM_ROWS("run.readonly_slot", "api.rst 4.35: KVM_MEM_READONLY", kReadonlySlot);

}  // namespace
}  // namespace conformance
