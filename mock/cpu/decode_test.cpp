// Encodings that the decoder library or a reader gets wrong.
#include <gmock/gmock.h>

#include "mock/cpu/test_machine.hpp"

namespace mock::cpu {
namespace {

// SIB with mod 0 and base 5 has no base register, whatever REX.B says: MOV EAX, [R12D*1 + 2000h] with a 67 prefix.
TEST(Decode, sib_with_base_13_and_mod_0_has_a_displacement_and_no_base) {
  FlatMachine m;
  m.load(0x1000, {"\x67\x43\x8b\x04\x25\x00\x20\x00\x00\xf4", 10});
  m.long_mode(0x1000);
  m.poke<u32>(0x2010, 0x12345678);
  m.reg(R12) = 0x10;
  m.reg(R13) = 0x3000;
  EXPECT_EQ(m.cpu.run(10), Stop::hlt);
  EXPECT_EQ(m.reg(RAX), 0x12345678u);
}

}  // namespace
}  // namespace mock::cpu
