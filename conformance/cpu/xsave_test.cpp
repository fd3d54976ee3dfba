// XSAVE, XSAVEOPT, XRSTOR in the guest: the formats in memory, what is written and what is left alone, and which
// headers fault. Only what every processor must do: whether a component counts as in use is the processor's choice.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::u32;
using kvmapi::u64;
using kvmapi::u8;

constexpr u64 kArea = guests::kData, kResult = guests::kSpare + 0x1000;
constexpr u64 kMxcsr = 24, kSt0 = 32, kXmm0 = 160, kXmm15 = kXmm0 + 240, kXstateBv = 512, kXcompBv = 520,
              kReserved = 528, kYmm0 = 576, kYmm15 = kYmm0 + 240;
constexpr u8 kFill = 0xa5;
constexpr u32 kFillWord = 0xa5a5a5a5;

constexpr CpuFeature kXcr0Avx{"xcr0_avx", 0xd, 0, CpuidRegister::eax, 2};
constexpr CpuFeature kXsaveopt{"xsaveopt", 0xd, 1, CpuidRegister::eax, 0};

constexpr auto filled_area = [](Machine& m) {
  std::memset(m.host(kArea), kFill, 0x400);
  std::memset(m.host(kArea + kXstateBv), 0, 64);
};
template <unsigned Vector>
constexpr auto at_the_instruction = [](Machine& m) { EXPECT_EQ(m.frame(Vector).rip, m.at("fault")); };

// Registers as the guest fills them: ST0 = 1, XMM0 and XMM15 and their upper halves 11111111h, MXCSR = 1FA0h.
void expect_x87(Machine& m, u64 area) {
  EXPECT_EQ(m.peek<kvmapi::u16>(area), 0x37f);
  EXPECT_EQ(m.peek<kvmapi::u16>(area + 2), 0x3800) << "FSW: TOP = 7";
  EXPECT_EQ(m.peek<u8>(area + 4), 0x80) << "abridged tags";
  EXPECT_EQ(m.peek<u64>(area + kSt0), u64{1} << 63);
  EXPECT_EQ(m.peek<kvmapi::u16>(area + kSt0 + 8), 0x3fff);
}
void expect_words(Machine& m, u64 first, u64 last, u32 value) {
  for (u64 i = 0; i < 16; i += 4) {
    EXPECT_EQ(m.peek<u32>(first + i), value) << "byte " << i << " of the first register";
    EXPECT_EQ(m.peek<u32>(last + i), value) << "byte " << i << " of the last";
  }
}
void expect_sse(Machine& m, u64 area, u32 value) { expect_words(m, area + kXmm0, area + kXmm15, value); }
void expect_avx(Machine& m, u64 area, u32 value) { expect_words(m, area + kYmm0, area + kYmm15, value); }

constexpr GuestCase kSave[] = {
    {.name = "without_osxsave_is_undefined",
     .guest = Guest::xsave_not_enabled,
     .exits = {taken(6)},
     .check = at_the_instruction<6>},
    {.name = "area_off_its_64_byte_boundary_is_general_protection",
     .guest = Guest::xsave,
     .start = {.rbx = 7, .rdi = kArea + 32},
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "writes_every_component_at_its_place",
     .guest = Guest::xsave,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = filled_area,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           expect_x87(m, kArea);
           EXPECT_EQ(m.peek<u32>(kArea + kMxcsr), 0x1fa0u);
           expect_sse(m, kArea, 0x11111111);
           expect_avx(m, kArea, 0x11111111);
           EXPECT_EQ(m.peek<u64>(kArea + kXstateBv), 7u);
           EXPECT_EQ(m.peek<u64>(kArea + kXcompBv), 0u);
         }},
    {.name = "writes_only_what_the_mask_asks_for",
     .guest = Guest::xsave,
     .start = {.rbx = 4, .rdi = kArea},
     .prepare =
         [](Machine& m) {
           filled_area(m);
           m.poke<u64>(kArea + kXstateBv, 1);
         },
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<u32>(kArea), kFillWord) << "x87";
           expect_sse(m, kArea, kFillWord);
           expect_avx(m, kArea, 0x11111111);
           EXPECT_EQ(m.peek<u64>(kArea + kXstateBv), 5u) << "the bit of x87 stays";
         }},
    {.name = "writes_mxcsr_with_avx_alone",
     .guest = Guest::xsave,
     .start = {.rbx = 4, .rdi = kArea},
     .prepare = filled_area,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<u32>(kArea + kMxcsr), 0x1fa0u); }},
    {.name = "leaves_the_end_of_the_legacy_area_alone",
     .guest = Guest::xsave64,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = filled_area,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           expect_sse(m, kArea, 0x11111111);
           for (u64 i = 464; i < 512; i += 4) EXPECT_EQ(m.peek<u32>(kArea + i), kFillWord) << "byte " << i;
           EXPECT_EQ(m.peek<u32>(kArea + 832), kFillWord) << "behind the area";
         }},
    {.name = "components_beyond_xcr0_are_ignored",
     .guest = Guest::xsave,
     .start = {.rbx = 0xffffffff, .rdi = kArea},
     .prepare = filled_area,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<u64>(kArea + kXstateBv), 7u); }},
    {.name = "xsaveopt_writes_what_is_in_use",
     .guest = Guest::xsaveopt,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = filled_area,
     .exits = {hlt()},
     .needs = {.cpu = kXsaveopt},
     .check =
         [](Machine& m) {
           expect_x87(m, kArea);
           expect_sse(m, kArea, 0x11111111);
           expect_avx(m, kArea, 0x11111111);
           EXPECT_EQ(m.peek<u64>(kArea + kXstateBv), 7u);
         }},
};
KVM_ROWS("cpu.xsave", "SDM 1 13.4, 13.7, 13.9", kSave);

constexpr auto image_of_2s = [](Machine& m) {
  std::memset(m.host(kArea), 0, 0x400);
  m.poke<kvmapi::u16>(kArea, 0x27f);
  m.poke<u32>(kArea + kMxcsr, 0x1f80);
  std::memset(m.host(kArea + kXmm0), 0x22, 256);
  std::memset(m.host(kArea + kYmm0), 0x22, 256);
  m.poke<u64>(kArea + kXstateBv, 7);
};
template <u64 at, u64 value>
constexpr auto image_with = [](Machine& m) {
  image_of_2s(m);
  m.poke<u64>(kArea + at, value);
};

constexpr GuestCase kRestore[] = {
    {.name = "loads_every_component",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_of_2s,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<kvmapi::u16>(kResult), 0x27f);
           EXPECT_EQ(m.peek<u32>(kResult + kMxcsr), 0x1f80u);
           expect_sse(m, kResult, 0x22222222);
           expect_avx(m, kResult, 0x22222222);
         }},
    {.name = "leaves_components_outside_the_mask_alone",
     .guest = Guest::xrstor,
     .start = {.rbx = 4, .rdi = kArea},
     .prepare = image_of_2s,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           expect_x87(m, kResult);
           expect_sse(m, kResult, 0x11111111);
           expect_avx(m, kResult, 0x22222222);
         }},
    {.name = "loads_mxcsr_with_avx_alone",
     .guest = Guest::xrstor,
     .start = {.rbx = 4, .rdi = kArea},
     .prepare = image_of_2s,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check = [](Machine& m) { EXPECT_EQ(m.peek<u32>(kResult + kMxcsr), 0x1f80u); }},
    {.name = "initialises_components_that_the_header_lacks",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_with<kXstateBv, 0>,
     .exits = {hlt()},
     .needs = {.cpu = kXcr0Avx},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.peek<kvmapi::u16>(kResult), 0x37f);
           EXPECT_EQ(m.peek<u8>(kResult + 4), 0);
           expect_sse(m, kResult, 0);
           expect_avx(m, kResult, 0);
           EXPECT_EQ(m.peek<u32>(kResult + kMxcsr), 0x1f80u);
         }},
    {.name = "header_with_a_component_beyond_xcr0_is_general_protection",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_with<kXstateBv, 0x207>,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "header_with_reserved_bytes_is_general_protection",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_with<kReserved, 1>,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "header_with_a_format_but_not_compacted_is_general_protection",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_with<kXcompBv, 7>,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "mxcsr_with_reserved_bits_is_general_protection",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea},
     .prepare = image_with<kMxcsr, 0xffff1f80>,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
    {.name = "area_off_its_64_byte_boundary_is_general_protection",
     .guest = Guest::xrstor,
     .start = {.rbx = 7, .rdi = kArea + 32},
     .prepare = image_of_2s,
     .exits = {taken(13)},
     .needs = {.cpu = kXcr0Avx},
     .check = at_the_instruction<13>},
};
KVM_ROWS("cpu.xrstor", "SDM 1 13.8", kRestore);

}  // namespace
}  // namespace conformance
