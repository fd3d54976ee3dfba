// The ABI model of this folder against the compiler at hand: what it computes for the host's own ABI must be what
// sizeof and offsetof say.
#include "conformance/layout/abi_model.hpp"

#include <cstddef>
#include <stdexcept>

#include "conformance/layout/layout_rows.hpp"
#include "kvmapi/layout.hpp"

namespace conformance {
namespace {

constexpr AbiRules kI386{.long_bytes = 4, .pointer_bytes = 4, .u64_alignment = 4};

struct Mixed {
  kvmapi::u8 a;
  kvmapi::u64 b;
  kvmapi::u16 c[3];
  union {
    kvmapi::u32 d;
    kvmapi::u8 e[9];
  } u;
  void* f;
  long g;
  kvmapi::u8 h;
};
constexpr std::string_view kMixed = "{a:u8 b:u64 c:u16[3] u:<d:u32 | e:u8[9]> f:pointer g:long h:u8}";

KVM_TEST("layout.abi_model", "agrees_with_the_compiler_at_hand", "System V ABI, AMD64 supplement")
(Ctx&) {
  const ModelLayout model = lay_out(kMixed, {});
  EXPECT_EQ(model.bytes, sizeof(Mixed));
  EXPECT_EQ(model.alignment, alignof(Mixed));
  EXPECT_EQ(model.offset("b"), offsetof(Mixed, b));
  EXPECT_EQ(model.offset("c"), offsetof(Mixed, c));
  EXPECT_EQ(model.offset("u"), offsetof(Mixed, u));
  EXPECT_EQ(model.offset("u.e"), offsetof(Mixed, u.e));
  EXPECT_EQ(model.offset("f"), offsetof(Mixed, f));
  EXPECT_EQ(model.offset("h"), offsetof(Mixed, h));
}

KVM_TEST("layout.abi_model", "i386_aligns_u64_to_four_bytes", "System V ABI, Intel386 supplement")
(Ctx&) {
  const ModelLayout model = lay_out(kMixed, kI386);
  EXPECT_EQ(model.offset("b"), 4u);
  EXPECT_EQ(model.offset("c"), 12u);
  EXPECT_EQ(model.offset("u"), 20u);
  EXPECT_EQ(model.offset("f"), 32u);
  EXPECT_EQ(model.bytes, 44u);
  EXPECT_EQ(model.alignment, 4u);
}

KVM_TEST("layout.abi_model", "an_empty_struct_takes_no_room", "GNU C, empty structures")
(Ctx&) {
  EXPECT_EQ(lay_out("{}", {}).bytes, 0u);
  EXPECT_EQ(lay_out("{a:u32 {} b:u32}", {}).offset("b"), 4u);
}

KVM_TEST("layout.abi_model", "text_that_is_no_type_is_refused", "conformance/layout/abi_model.hpp")
(Ctx&) {
  for (const char* text : {"", "u7", "{u8", "<u8 | u16", "u8[x]", "u8[2", "u8 u8", "{a:}"}) {
    EXPECT_THROW(lay_out(text, {}), std::invalid_argument) << text;
  }
  EXPECT_THROW((void)lay_out("{a:u8}", {}).offset("b"), std::out_of_range);
}

}  // namespace
}  // namespace conformance
