// What keeps the supervisor from user pages, and everybody from keyed ones: SMEP, SMAP with AC and for implicit
// accesses, protection keys. SDM volume 3, 4.6.
#include "conformance/support/guest_case.hpp"
#include "conformance/support/rows.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_sregs;
using kvmapi::u64;

constexpr u64 kPage = guests::kData + 0x1000;
constexpr u64 kUser = 4;
constexpr u64 kProtection = 1, kFromUser = 4, kFetch = 0x10, kKey = 0x20;
constexpr u64 kSmep = 1u << 20, kSmap = 1u << 21, kPke = 1u << 22;
constexpr ModeSet kPaged = {Mode::paged32, Mode::pae32, Mode::long64};
constexpr CpuFeature kHasSmep{"smep", 7, 0, CpuidRegister::ebx, 7};
constexpr CpuFeature kHasSmap{"smap", 7, 0, CpuidRegister::ebx, 20};
constexpr CpuFeature kHasPku{"pku", 7, 0, CpuidRegister::ecx, 3};

// All pages belong to the supervisor, but kPage and those of `user_pages`.
void protect(Machine& m, u64 cr4, std::initializer_list<u64> user_pages = {}) {
  for (u64 page = 0; page < guests::kRamBytes; page += 0x1000)
    if (page != kPage) m.change_pte(page, 0, kUser);
  for (const u64 page : user_pages) m.change_pte(page, kUser);
  m.change([cr4](kvm_sregs& s) { s.cr4 |= cr4; });
}

template <u64 Error>
constexpr auto page_fault = [](Machine& m) {
  EXPECT_EQ(m.frame(14).error_code, Error);
  EXPECT_EQ(m.sregs().cr2 & ~u64{0xfff}, kPage);
};

constexpr GuestCase kSmepRows[] = {
    {.name = "stops_code_of_user_pages",
     .guest = Guest::jump_page,
     .modes = kPaged,
     .prepare = [](Machine& m) { protect(m, kSmep); },
     .exits = {taken(14)},
     .needs = {.cpu = kHasSmep},
     .check = page_fault<kFetch | kProtection>},
    {.name = "lets_data_of_user_pages_be_read",
     .guest = Guest::read_page,
     .modes = kPaged,
     .prepare = [](Machine& m) { protect(m, kSmep); },
     .exits = {hlt()},
     .needs = {.cpu = kHasSmep}},
};
KVM_ROWS("cpu.smep", "SDM 3: 4.6.1", kSmepRows);

constexpr GuestCase kSmapRows[] = {
    {.name = "stops_reads_of_user_pages",
     .guest = Guest::read_page,
     .modes = kPaged,
     .prepare = [](Machine& m) { protect(m, kSmap); },
     .exits = {taken(14)},
     .needs = {.cpu = kHasSmap},
     .check = page_fault<kProtection>},
    {.name = "lets_ac_override_it_until_clac",
     .guest = Guest::stac_read_clac,
     .modes = kPaged,
     .prepare = [](Machine& m) { protect(m, kSmap); },
     .exits = {taken(14)},
     .needs = {.cpu = kHasSmap},
     .check =
         [](Machine& m) {
           EXPECT_EQ(m.frame(14).rip, m.at("fault"));
           EXPECT_EQ(m.frame(14).rflags & 0x40000, 0u);
         }},
    {.name = "stops_implicit_accesses_even_with_ac",
     .guest = Guest::user_load_ds,
     .modes = kPaged,
     .start = {.rflags = 0x40002},
     .prepare =
         [](Machine& m) {
           protect(m, 0, {guests::kLoad, guests::kUserStackTop - 0x1000});
           // A GDT for the first steps, and its copy in a user page for the load.
           std::memcpy(m.host(kPage), m.host(guests::kGdt), 0x50);
           m.change([](kvm_sregs& s) { s.gdt.base = kPage; });
           m.change([](kvm_sregs& s) { s.cr4 |= kSmap; });
         },
     .exits = {exits_with(kvmapi::Exit::Shutdown)},
     .needs = {.cpu = kHasSmap},
     .source = "SDM 3: 4.6.1: a descriptor in a user page can not be read, not by the fault's own delivery either"},
    {.name = "lets_ring_3_read_its_pages",
     .guest = Guest::user_read_page,
     .modes = kPaged,
     .prepare =
         [](Machine& m) {
           protect(m, kSmap, {guests::kLoad, guests::kUserStackTop - 0x1000});
         },
     .exits = {taken(0x80)},
     .needs = {.cpu = kHasSmap}},
};
KVM_ROWS("cpu.smap", "SDM 3: 4.6.1", kSmapRows);

// Where the save area has PKRU: CPUID leaf 0Dh, component 9.
unsigned pkru_offset(Machine& m) {
  for (const auto& entry : m.t.must(m.t.system().get_supported_cpuid()))
    if (entry.function == 0xd && entry.index == 9) return entry.ebx;
  m.t.broken("CPUID does not say where PKRU is saved");
}

// The page has key 5, whose rights in PKRU the test takes away.
template <kvmapi::u32 Rights>
constexpr auto use_key_5 = [](Machine& m) {
  m.change([](kvm_sregs& s) { s.cr4 |= kPke; });
  m.change_pte(kPage, u64{5} << 59);
  auto area = m.t.must(m.vcpu().get_xsave());
  constexpr unsigned kXstateBv = 512 / 4;
  area.region[kXstateBv] |= 1u << 9;
  area.region[pkru_offset(m) / 4] = Rights << 10;
  m.t.must(m.vcpu().set_xsave(area));
};
constexpr GuestCase kPkuRows[] = {
    {.name = "stops_access_to_a_page_with_its_key",
     .guest = Guest::user_read_page,
     .modes = Mode::long64,
     .prepare = use_key_5<1>,
     .exits = {taken(14)},
     .needs = {.cpu = kHasPku},
     .check = page_fault<kKey | kFromUser | kProtection>},
    {.name = "with_write_disabled_lets_reads_pass",
     .guest = Guest::user_read_page,
     .modes = Mode::long64,
     .prepare = use_key_5<2>,
     .exits = {taken(0x80)},
     .needs = {.cpu = kHasPku}},
};
KVM_ROWS("cpu.protection_key", "SDM 3: 4.6.2", kPkuRows);

}  // namespace
}  // namespace conformance
