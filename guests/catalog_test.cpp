#include "guests/catalog.hpp"

#include <gtest/gtest.h>

namespace guests {
namespace {

TEST(Catalog, every_guest_has_code_for_some_mode_and_fits_below_the_handlers) {
  for (const Guest guest : all_guests()) {
    bool any = false;
    for (const Mode mode : kEveryMode) {
      any |= exists(guest, mode);
      EXPECT_LE(kLoad + code(guest, mode).size(), handler(0)) << name(guest);
    }
    EXPECT_TRUE(any) << name(guest);
  }
}

TEST(Catalog, marks_lie_inside_or_at_the_end_of_the_code) {
  for (const Guest guest : all_guests()) {
    for (const Mode mode : kEveryMode) {
      for (const Mark& mark : marks(guest, mode)) {
        EXPECT_GE(mark.address, kLoad) << name(guest) << ' ' << mark.name;
        EXPECT_LE(mark.address, kLoad + code(guest, mode).size()) << name(guest) << ' ' << mark.name;
      }
    }
  }
}

TEST(Catalog, a_mark_is_found_by_name) {
  EXPECT_EQ(mark(Guest::hlt, Mode::real, "after"), kLoad + 1);
  EXPECT_EQ(mark(Guest::hlt, Mode::long64, "no_such_mark"), std::nullopt);
}

TEST(Catalog, code_is_assembled_for_its_mode) {
  const std::uint8_t kReal[] = {0x66, 0xb8, 0x45, 0x44, 0x43, 0x42, 0x66, 0xe7, 0x10, 0xf4};
  const std::uint8_t kProt32[] = {0xb8, 0x45, 0x44, 0x43, 0x42, 0xe7, 0x10, 0xf4};
  const auto real = code(Guest::out_dword, Mode::real);
  const auto prot32 = code(Guest::out_dword, Mode::pae32);
  EXPECT_TRUE(std::equal(real.begin(), real.end(), std::begin(kReal), std::end(kReal)));
  EXPECT_TRUE(std::equal(prot32.begin(), prot32.end(), std::begin(kProt32), std::end(kProt32)));
}

}  // namespace
}  // namespace guests
