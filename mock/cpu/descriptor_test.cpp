// Descriptor packing against values worked out by hand from SDM vol. 3 figures 3-8 and 6-2.
#include "mock/cpu/descriptor.hpp"

#include <gtest/gtest.h>

namespace mock::cpu {
namespace {

TEST(Descriptor, flat_code_segment_unpacks) {
  constexpr Descriptor d{0x00cf9a000000ffff};
  EXPECT_EQ(d.base(), 0u);
  EXPECT_EQ(d.limit_bytes(), 0xffffffffu);
  EXPECT_EQ(d.attributes(), 0xc9au);
  EXPECT_TRUE(d.is_code() && d.is_readable() && !d.is_conforming() && !d.is_accessed());
  EXPECT_TRUE(d.present() && d.db() && !d.l());
  EXPECT_EQ(d.dpl(), 0);
}

TEST(Descriptor, base_and_limit_pieces_are_put_together) {
  constexpr Descriptor d{0x12 | u64{0x40} << 48 | 0x34ull << 56 | 0xf2ull << 40 | u64{0x567890} << 16};
  EXPECT_EQ(d.base(), 0x34567890u);
  EXPECT_EQ(d.limit_bytes(), 0x12u);
  EXPECT_EQ(d.dpl(), 3);
  EXPECT_TRUE(d.is_data() && d.is_writable());
}

TEST(Descriptor, pack_is_the_inverse_of_unpack) {
  for (const u64 raw : {0x00cf9a000000ffffull, 0x00af9b000000ffffull, 0x8040f3123456abcdull, 0x0000890010000067ull}) {
    const Descriptor d{raw};
    EXPECT_EQ(pack_descriptor(static_cast<u32>(d.base()), d.limit_bytes(), d.attributes()), raw) << std::hex << raw;
  }
}

TEST(Descriptor, gate_fields_and_the_upper_half_of_a_64_bit_gate) {
  const Descriptor d{pack_gate(0x28, 0x89abcdef, kInterruptGate32, 3, 5), 0xffffffff};
  EXPECT_EQ(d.gate_selector(), 0x28);
  EXPECT_EQ(d.gate_offset(), 0xffffffff89abcdefull);
  EXPECT_EQ(d.gate_offset16(), 0xcdefu);
  EXPECT_EQ(d.gate_ist(), 5);
  EXPECT_EQ(d.type(), kInterruptGate32);
  EXPECT_EQ(d.dpl(), 3);
  EXPECT_TRUE(d.present() && !d.is_code_or_data());
}

TEST(Selector, null_is_index_zero_of_the_gdt_with_any_rpl) {
  EXPECT_TRUE(Selector{3}.is_null());
  EXPECT_FALSE(Selector{4}.is_null());
  EXPECT_EQ(Selector{0x1f}.error_code(), 0x1cu);
  EXPECT_EQ(Selector{0x1f}.offset(), 0x18);
}

}  // namespace
}  // namespace mock::cpu
