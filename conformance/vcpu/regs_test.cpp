// KVM_GET_REGS, KVM_SET_REGS: the general registers.
#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"

namespace conformance {
namespace {

using kvmapi::kvm_regs;

// A different value in every register.
constexpr kvm_regs kPattern{.rax = 0x1111111111111111,
                            .rbx = 0x2222222222222222,
                            .rcx = 0x3333333333333333,
                            .rdx = 0x4444444444444444,
                            .rsi = 0x5555555555555555,
                            .rdi = 0x6666666666666666,
                            .rsp = 0x7777777777777777,
                            .rbp = 0x8888888888888888,
                            .r8 = 0x9999999999999999,
                            .r9 = 0xaaaaaaaaaaaaaaaa,
                            .r10 = 0xbbbbbbbbbbbbbbbb,
                            .r11 = 0xcccccccccccccccc,
                            .r12 = 0xdddddddddddddddd,
                            .r13 = 0xeeeeeeeeeeeeeeee,
                            .r14 = 0xffffffffffffffff,
                            .r15 = 0x0123456789abcdef,
                            .rip = 0x0000000000401000,
                            .rflags = 0x202};

constexpr IoctlCase kRows[] = {
    {.name = "all_registers_are_read_back",
     .call = [](Ctx& t) { return t.vcpu().set_regs(kPattern); },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_TRUE(same_bytes(t.must(t.vcpu().get_regs()), kPattern)); }},
    {.name = "rflags_bit_1_is_always_set",
     .call =
         [](Ctx& t) {
           auto regs = kPattern;
           regs.rflags = 0;
           return t.vcpu().set_regs(regs);
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_regs()).rflags, 2u); },
     .status = Abi::observed,
     .source = "__set_regs"},
    {.name = "arithmetic_flags_are_read_back",
     .call =
         [](Ctx& t) {
           auto regs = kPattern;
           regs.rflags = 0xcd7;  // CF PF AF ZF SF DF OF
           return t.vcpu().set_regs(regs);
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_regs()).rflags, 0xcd7u); }},
    {.name = "rip_is_not_checked",
     .call =
         [](Ctx& t) {
           auto regs = kPattern;
           regs.rip = 0x8000000000000000;  // not canonical
           return t.vcpu().set_regs(regs);
         },
     .expect = succeeds(0),
     .check = [](Ctx& t) { EXPECT_EQ(t.must(t.vcpu().get_regs()).rip, 0x8000000000000000u); },
     .status = Abi::observed,
     .source = "__set_regs"},
};

KVM_ROWS("vcpu.set_regs", "api.rst 4.12", kRows);

KVM_TEST("vcpu.set_regs", "pending_exception_is_dropped", "__set_regs", {.status = Abi::observed})(Ctx& t) {
  t.must(t.vm().enable_cap(Cap::ExceptionPayload, 1));
  auto events = t.must(t.vcpu().get_vcpu_events());
  events.exception = {.nr = 13, .has_error_code = 1, .pending = 1};
  t.must(t.vcpu().set_vcpu_events(events));
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).exception.pending, 1);
  t.must(t.vcpu().set_regs(kPattern));
  EXPECT_EQ(t.must(t.vcpu().get_vcpu_events()).exception.pending, 0);
}

KVM_TEST("vcpu.get_regs", "shows_what_the_guest_left", "api.rst 4.11")(Ctx& t) {
  load(t, {0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0xf4});  // mov eax, 0x12345678; hlt
  run_to_halt(t);
  const auto regs = t.must(t.vcpu().get_regs());
  EXPECT_EQ(regs.rax, 0x12345678u);
  EXPECT_EQ(regs.rip, kTinyCode + 7);
}

KVM_TEST("vcpu.set_regs", "guest_sees_what_was_set", "api.rst 4.12")(Ctx& t) {
  load(t, {0x01, 0xd8, 0xf4});  // add ax, bx; hlt
  auto regs = t.must(t.vcpu().get_regs());
  regs.rax = 0x1200;
  regs.rbx = 0x34;
  t.must(t.vcpu().set_regs(regs));
  run_to_halt(t);
  EXPECT_EQ(t.must(t.vcpu().get_regs()).rax, 0x1234u);
}

}  // namespace
}  // namespace conformance
