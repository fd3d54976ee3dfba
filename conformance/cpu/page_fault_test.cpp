// Page faults: the error code's bits, CR2, and that a faulting instruction leaves no trace. SDM volume 3, 4.6 and 4.7.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using guests::kData;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kPage = kData + 0x1000;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40;
// Bits of the error code.
constexpr u64 kProtection = 1, kWrite = 2, kFromUser = 4, kReserved = 8, kFetch = 0x10;
constexpr ModeSet kPaged = {Mode::paged32, Mode::pae32, Mode::long64};
constexpr ModeSet kPaged64 = {Mode::pae32, Mode::long64};

template <u64 On, u64 Off>
constexpr auto change_page = [](Machine& m) { m.change_pte(kPage, On, Off); };

template <u64 Error, u64 Address>
constexpr auto is_fault = [](Machine& m) {
  EXPECT_EQ(m.frame(14).rip, m.at("fault"));
  EXPECT_EQ(m.frame(14).error_code, Error);
  EXPECT_EQ(m.sregs().cr2, Address);
};
constexpr auto set_wp = [](Machine& m) {
  m.change_pte(kPage, 0, kWritable);
  m.change([](kvmapi::kvm_sregs& s) { s.cr0 |= 0x10000; });
};
// Repairs the page while the handler runs; the guest then goes on.
constexpr auto make_present = [](Machine& m) { m.change_pte(kPage, kPresent | kWritable | kUser); };

constexpr GuestCase kRows[] = {
    {.name = "read_of_an_absent_page",
     .guest = Guest::read_page,
     .modes = kPaged,
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14)},
     .check = is_fault<0, kPage + 8>},
    {.name = "write_of_an_absent_page",
     .guest = Guest::write_page,
     .modes = kPaged,
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14)},
     .check = is_fault<kWrite, kPage + 8>},
    {.name = "read_modify_write_of_an_absent_page_is_a_write",
     .guest = Guest::add_page,
     .modes = kPaged,
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14)},
     .check = is_fault<kWrite, kPage + 8>},
    {.name = "write_of_a_readonly_page_with_wp",
     .guest = Guest::write_page,
     .modes = kPaged,
     .prepare = set_wp,
     .exits = {taken(14)},
     .check = is_fault<kWrite | kProtection, kPage + 8>},
    {.name = "write_of_a_readonly_page_without_wp_is_allowed",
     .guest = Guest::write_page,
     .modes = kPaged,
     .start = {.rax = 0x77},
     .prepare = change_page<0, kWritable>,
     .exits = {hlt().at("after_hlt")},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<u8>(kPage + 8), 0x77); }},
    {.name = "read_of_a_supervisor_page_by_ring_3",
     .guest = Guest::user_read_page,
     .modes = kPaged,
     .prepare = change_page<0, kUser>,
     .exits = {taken(14)},
     .check = is_fault<kFromUser | kProtection, kPage + 8>},
    {.name = "write_of_a_readonly_page_by_ring_3",
     .guest = Guest::user_write_page,
     .modes = kPaged,
     .prepare = change_page<0, kWritable>,
     .exits = {taken(14)},
     .check = is_fault<kFromUser | kWrite | kProtection, kPage + 8>},
    {.name = "reserved_bit_in_the_entry",
     .guest = Guest::read_page,
     .modes = Mode::pae32,
     .prepare = change_page<1ull << 62, 0>,
     .exits = {taken(14)},
     .check = is_fault<kProtection | kReserved, kPage + 8>},
    {.name = "fetch_from_an_absent_page",
     .guest = Guest::jump_page,
     .modes = kPaged,
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(14).rip, kPage);
           EXPECT_EQ(m.frame(14).error_code, 0u) << "the fetch bit is set only with NX enabled or SMEP";
           EXPECT_EQ(m.sregs().cr2, kPage);
         }},
    {.name = "fetch_from_a_no_execute_page",
     .guest = Guest::jump_page,
     .modes = kPaged64,
     .prepare =
         [](Machine& m) {
           m.change_pte(kPage, 1ull << 63);
           m.change([](kvmapi::kvm_sregs& s) { s.efer |= 0x800; });
         },
     .exits = {taken(14)},
     .needs = {.cpu = cpu_feature::kNx},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(14).rip, kPage);
           EXPECT_EQ(m.frame(14).error_code, kFetch | kProtection);
         }},
    {.name = "page_made_present_by_the_handler_lets_the_guest_go_on",
     .guest = Guest::write_page,
     .modes = kPaged,
     .start = {.rax = 0x77},
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14).then(make_present), hlt().at("after_hlt")},
     .finish = {.rsp = guests::kStackTop},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<u8>(kPage + 8), 0x77); }},
    {.name = "write_across_two_pages_leaves_the_first_alone",
     .guest = Guest::write_two_pages,
     .modes = kPaged,
     .prepare = change_page<0, kPresent>,
     .exits = {taken(14)},
     .check =
         [](Machine& m) {
           is_fault<kWrite, kPage>(m);
           EXPECT_EQ(m.peek<kvmapi::u16>(kPage - 2), 0);
         }},
    {.name = "pop_leaves_the_stack_pointer_alone",
     .guest = Guest::pop_page,
     .modes = Mode::paged32,
     .prepare =
         [](Machine& m) {
           change_page<0, kPresent>(m);
           // The frame must not land on the absent page: the handler's stack is the page below it.
         },
     .exits = {taken(14)},
     .finish = {.rsp = kPage - 16},
     .check = is_fault<0, kPage>},
    {.name = "rep_movsb_stops_where_the_fault_is",
     .guest = Guest::rep_movsb,
     .modes = kPaged,
     .start = {.rcx = 10, .rsi = kData + 0x100, .rdi = kPage - 4},
     .prepare =
         [](Machine& m) {
           m.poke_text(kData + 0x100, "0123456789");
           change_page<0, kPresent>(m);
         },
     .exits = {taken(14).then([](Machine& m) {
                 EXPECT_EQ(m.regs().rcx, 6u);
                 EXPECT_EQ(m.regs().rsi, kData + 0x104);
                 EXPECT_EQ(m.regs().rdi, kPage);
                 is_fault<kWrite, kPage>(m);
                 make_present(m);
               }),
               hlt()},
     .finish = {.rcx = 0},
     .check = [](Machine& m) { EXPECT_EQ(m.text_at(kPage - 4, 10), "0123456789"); }},
};
KVM_ROWS("cpu.page_fault", "SDM 4.7", kRows);

constexpr GuestCase kAccessedDirty[] = {
    {.name = "read_sets_accessed",
     .guest = Guest::read_page,
     .modes = kPaged,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           const u64 entry = m.peek<kvmapi::u32>(guests::pte_address(m.mode, kPage));
           EXPECT_EQ(entry & (kAccessed | kDirty), kAccessed);
         }},
    {.name = "write_sets_accessed_and_dirty",
     .guest = Guest::write_page,
     .modes = kPaged,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           const u64 entry = m.peek<kvmapi::u32>(guests::pte_address(m.mode, kPage));
           EXPECT_EQ(entry & (kAccessed | kDirty), kAccessed | kDirty);
         }},
    {.name = "page_not_used_stays_clean",
     .guest = Guest::hlt,
     .modes = kPaged,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           const u64 entry = m.peek<kvmapi::u32>(guests::pte_address(m.mode, kPage));
           EXPECT_EQ(entry & (kAccessed | kDirty), 0u);
         }},
};
KVM_ROWS("cpu.page_table", "SDM 4.8", kAccessedDirty);

}  // namespace
}  // namespace conformance
