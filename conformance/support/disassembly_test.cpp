#include "conformance/support/disassembly.hpp"

#include <gtest/gtest.h>

namespace conformance {
namespace {

TEST(Disassembly, shows_address_bytes_and_text) {
  const std::uint8_t code[] = {0xe6, 0x10, 0x48, 0x89, 0xd8};
  EXPECT_EQ(disassemble(code, 0x1000, 64),
            "1000  e6 10                   out 0x10, al\n1002  48 89 d8                mov rax, rbx\n");
}

TEST(Disassembly, depends_on_the_mode) {
  const std::uint8_t code[] = {0x89, 0xd8};
  EXPECT_NE(disassemble(code, 0, 16).find("mov ax, bx"), std::string::npos);
  EXPECT_NE(disassemble(code, 0, 32).find("mov eax, ebx"), std::string::npos);
}

TEST(Disassembly, goes_on_after_bytes_that_are_no_instruction) {
  const std::uint8_t code[] = {0x06, 0xf4, 0x0f};
  EXPECT_EQ(
      disassemble(code, 0, 64),
      "0000  06                      (bad)\n0001  f4                      hlt\n0002  0f                      (bad)\n");
}

}  // namespace
}  // namespace conformance
