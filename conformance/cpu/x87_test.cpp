// x87 exceptions as the guest gets them, and the memory formats of FNSTENV and FNSAVE with both operand sizes. SDM
// volume 1 chapter 8. Pointers to the last instruction are not looked at: processors differ in when they keep them.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u16;
using kvmapi::u32;
using kvmapi::u64;

constexpr u16 kMasked = 0x37f, kZeroDivideUnmasked = 0x37b;
template <u16 control>
constexpr auto control_word = [](Machine& m) { m.poke<u16>(guests::kData, control); };

constexpr GuestCase kExceptions[] = {
    {.name = "masked_division_by_zero_sets_its_flag_only",
     .guest = Guest::x87_divide_by_zero,
     .prepare = control_word<kMasked>,
     .exits = {hlt()},
     .check = [](Machine& m) { EXPECT_EQ(m.regs().rax & 0x80ff, 0x04u); }},
    {.name = "unmasked_division_by_zero_is_reported_by_the_next_waiting_instruction",
     .guest = Guest::x87_divide_by_zero,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64},
     .prepare = control_word<kZeroDivideUnmasked>,
     .exits = {taken(16)},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(16).rip, m.at("fault"));
           EXPECT_EQ(m.regs().rax & 0x80ff, 0x8084u) << "B, ES and ZE";
         }},
    {.name = "fnclex_takes_a_pending_exception_away",
     .guest = Guest::x87_clear_exception,
     .modes = {Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64},
     .prepare = control_word<kZeroDivideUnmasked>,
     .exits = {hlt()}},
};
KVM_ROWS("cpu.x87_exception", "SDM 1 8.7", kExceptions);

// The environment in fields of `bytes` each: control, status, tags. The upper halves of 32-bit fields are not looked
// at.
void expect_environment(Machine& m, u64 at, unsigned bytes) {
  EXPECT_EQ(m.peek<u16>(at), kMasked);
  EXPECT_EQ(m.peek<u16>(at + bytes), 0x3000) << "TOP = 6";
  EXPECT_EQ(m.peek<u16>(at + 2 * bytes), 0x1fff) << "ST1 = 1 is valid, ST0 = 0 is zero";
}
unsigned own_bytes(const Machine& m) { return m.mode == Mode::real ? 2 : 4; }
unsigned other_bytes(const Machine& m) { return m.mode == Mode::real ? 4 : 2; }

constexpr auto poison = [](Machine& m) { std::memset(m.host(guests::kData), 0xa5, 0x200); };

constexpr GuestCase kFormats[] = {
    {.name = "environment_has_seven_fields_of_the_operand_size",
     .guest = Guest::x87_environment,
     .prepare = poison,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           expect_environment(m, guests::kData, own_bytes(m));
           EXPECT_EQ(m.peek<u16>(guests::kData + 7 * own_bytes(m)), 0xa5a5);
           expect_environment(m, guests::kData + 0x40, other_bytes(m));
           EXPECT_EQ(m.peek<u16>(guests::kData + 0x40 + 7 * other_bytes(m)), 0xa5a5);
         }},
    {.name = "fnsave_adds_eight_registers_and_initialises",
     .guest = Guest::x87_save,
     .prepare = poison,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           for (const auto& [at, bytes] :
                {std::pair{guests::kData, own_bytes(m)}, std::pair{guests::kData + 0x80, other_bytes(m)}}) {
             expect_environment(m, at, bytes);
             const u64 registers = at + 7 * bytes;
             EXPECT_EQ(m.peek<u64>(registers), 0u) << "ST0 = 0";
             EXPECT_EQ(m.peek<u64>(registers + 10), u64{1} << 63) << "ST1 = 1";
             EXPECT_EQ(m.peek<u16>(registers + 18), 0x3fff);
             EXPECT_EQ(m.peek<u16>(registers + 80), 0xa5a5) << "behind the state";
           }
           const auto fpu = m.t.must(m.vcpu().get_fpu());
           EXPECT_EQ(fpu.fcw, kMasked);
           EXPECT_EQ(fpu.ftwx, 0) << "all registers are empty";
         }},
    {.name = "frstor_brings_back_what_fnsave_wrote",
     .guest = Guest::x87_restore,
     .exits = {hlt()},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<u32>(guests::kData), 3u) << "pi, rounded";
           EXPECT_EQ(m.peek<u32>(guests::kData + 4), 1u);
         }},
};
KVM_ROWS("cpu.x87_format", "SDM 1 8.1.8, figures 8-9 to 8-12", kFormats);

}  // namespace
}  // namespace conformance
