#include "guests/layout.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace guests {
namespace {

template <class T>
T get(const std::vector<std::uint8_t>& ram, std::uint64_t address) {
  T value;
  std::memcpy(&value, ram.data() + address, sizeof value);
  return value;
}

std::vector<std::uint8_t> prepared(Mode mode) {
  std::vector<std::uint8_t> ram(kRamBytes);
  prepare_memory(mode, ram);
  return ram;
}

// Follows the tables as the CPU does; 4-KiB and large pages.
std::uint64_t translate(const std::vector<std::uint8_t>& ram, Mode mode, std::uint64_t address) {
  if (mode == Mode::paged32) {
    const auto pde = get<std::uint32_t>(ram, kPd32 + (address >> 22) * 4);
    if (pde & 0x80) return (pde & 0xffc0'0000) | (address & 0x3f'ffff);
    return (get<std::uint32_t>(ram, (pde & ~0xfffu) + (address >> 12 & 0x3ff) * 4) & ~0xfffu) | (address & 0xfff);
  }
  std::uint64_t table = mode == Mode::pae32 ? kPdptPae : get<std::uint64_t>(ram, kPml4) & ~0xfffull;
  table = get<std::uint64_t>(ram, table + (address >> 30) * 8) & ~0xfffull;
  const auto pde = get<std::uint64_t>(ram, table + (address >> 21 & 0x1ff) * 8);
  if (pde & 0x80) return (pde & ~0x1f'ffffull) | (address & 0x1f'ffff);
  return (get<std::uint64_t>(ram, (pde & ~0xfffull) + (address >> 12 & 0x1ff) * 8) & ~0xfffull) | (address & 0xfff);
}

TEST(Layout, page_tables_map_every_address_to_itself) {
  for (const Mode mode : {Mode::paged32, Mode::pae32, Mode::long64}) {
    const auto ram = prepared(mode);
    for (const std::uint64_t address :
         {0x1000ull, 0xd0010ull, 0x1fffffull, 0x200000ull, 0x3fffffffull, 0xfee00080ull}) {
      EXPECT_EQ(translate(ram, mode, address), address) << name(mode);
    }
  }
}

TEST(Layout, the_lowest_level_entry_of_a_page_is_where_pte_address_says) {
  EXPECT_EQ(get<std::uint32_t>(prepared(Mode::paged32), pte_address(Mode::paged32, kData)), kData | 7);
  EXPECT_EQ(get<std::uint64_t>(prepared(Mode::long64), pte_address(Mode::long64, kData)), kData | 7);
  EXPECT_EQ(pte_address(Mode::prot32, kData), 0u);
}

TEST(Layout, vectors_lead_to_the_handlers) {
  EXPECT_EQ(get<std::uint32_t>(prepared(Mode::real), 13 * 4), handler(13));
  const auto gate = get<std::uint64_t>(prepared(Mode::long64), kIdt + 13 * 16);
  EXPECT_EQ((gate & 0xffff) | (gate >> 48 << 16), handler(13));
  EXPECT_EQ(gate >> 16 & 0xffff, kKernelCs);
  EXPECT_EQ(gate >> 40 & 0xff, 0x8eu);
}

TEST(Layout, a_handler_halts_drops_the_error_code_and_returns) {
  const std::vector<std::uint8_t> expected = {0xf4, 0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf};
  const auto ram = prepared(Mode::long64);
  EXPECT_EQ(std::vector<std::uint8_t>(ram.begin() + handler(14), ram.begin() + handler(14) + 7), expected);
  EXPECT_EQ(get<std::uint16_t>(prepared(Mode::real), handler(14)), 0xcff4);
}

TEST(Layout, segments_agree_with_the_descriptors_in_memory) {
  for (const Mode mode : {Mode::prot32, Mode::long64}) {
    const Cpu cpu = start_cpu(mode);
    const auto descriptor = get<std::uint64_t>(prepared(mode), kGdt + cpu.cs.selector);
    EXPECT_EQ(descriptor >> 40 & 0xf, cpu.cs.type & ~1u) << "accessed is not yet set in memory";
    EXPECT_EQ(descriptor >> 53 & 1, cpu.cs.l);
    EXPECT_EQ(descriptor >> 54 & 1, cpu.cs.db);
    EXPECT_LT(kTssSel + 15, cpu.gdt_limit);
  }
}

TEST(Layout, long_mode_starts_with_paging_pae_and_lma) {
  const Cpu cpu = start_cpu(Mode::long64);
  EXPECT_EQ(cpu.cr0 & 0x8000'0001, 0x8000'0001u);
  EXPECT_TRUE(cpu.cr4 & 0x20);
  EXPECT_EQ(cpu.efer, 0x500u);
  EXPECT_EQ(cpu.cr3, kPml4);
}

}  // namespace
}  // namespace guests
