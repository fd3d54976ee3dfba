// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV against the host CPU: the same images from the same registers and masks, in
// both formats. And what needs ring 0 or no host: XSAVES, XRSTORS, headers that fault.
#include <cpuid.h>

#include "mock/cpu/host_check.hpp"
#include "mock/cpu/xstate.hpp"

// Area at 0x400 for the instruction under test. Everything starts in its initial configuration; then the registers are
// loaded from the buffer: words 0-3 YMM0, 4-7 YMM15, 8 ST0, 9 MXCSR, 10 mask; 11: which of them (x87, SSE, AVX).
#define INITIALISE                    \
  "movl $7, %eax\n xorl %edx, %edx\n" \
  "xrstor 0xc00(%rdi)\n"
#define LOAD_REGISTERS              \
  "testb $1, 88(%rdi)\n jz 1f\n"    \
  "fldl 64(%rdi)\n"                 \
  "1: testb $2, 88(%rdi)\n jz 2f\n" \
  "movups (%rdi), %xmm0\n"          \
  "movups 32(%rdi), %xmm15\n"       \
  "2: testb $4, 88(%rdi)\n jz 3f\n" \
  "vmovups (%rdi), %ymm0\n"         \
  "vmovups 32(%rdi), %ymm15\n"      \
  "3: ldmxcsr 72(%rdi)\n"           \
  "movl 80(%rdi), %eax\n xorl %edx, %edx\n"
// Pointers to the last x87 instruction differ by nature.
#define FORGET_POINTERS(at) "movw $0, " #at "+6(%rdi)\n movq $0, " #at "+8(%rdi)\n movq $0, " #at "+16(%rdi)\n"
// The host may allow AMD's misaligned mode.
#define FORGET_MASK(at) "andl $0xffff, " #at "+28(%rdi)\n"

#define SAVES(name, instruction)                                                                 \
  HOST_CHECK(name, INITIALISE LOAD_REGISTERS instruction " 0x400(%rdi)\n" FORGET_POINTERS(0x400) \
                       FORGET_MASK(0x400) "fninit\n vzeroupper")
SAVES(xsave_image, "xsave");
SAVES(xsave64_image, "xsave64");
SAVES(xsaveopt_image, "xsaveopt");
SAVES(xsavec_image, "xsavec");

// Image at 0x400 (made by the test), then what XSAVE says of the registers, at 0x800.
#define RESTORES(name, save)                                                                            \
  HOST_CHECK(name, INITIALISE LOAD_REGISTERS "xrstor 0x400(%rdi)\n movl $7, %eax\n" save                \
                                             " 0x800(%rdi)\n stmxcsr 96(%rdi)\n" FORGET_POINTERS(0x800) \
                                                 FORGET_MASK(0x800) "fninit\n vzeroupper")
RESTORES(xrstor_image, "xsave");
RESTORES(xrstor_then_xsavec, "xsavec");

HOST_CHECK(xgetbv_of_what_is_in_use, INITIALISE LOAD_REGISTERS R"(
  movl $1, %ecx
  xgetbv
  movq %rax, 0x400(%rdi)
  fninit
  vzeroupper
)");

namespace mock::cpu {
namespace {

bool host_has(u32 leaf, u32 subleaf, unsigned bit_of_eax) {
  u32 eax = 0, ebx, ecx, edx;
  return __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx) && (eax >> bit_of_eax & 1);
}

class Xsave : public testing::Test {
 protected:
  void SetUp() override {
    if (!__builtin_cpu_supports("avx")) GTEST_SKIP() << "this processor has no AVX";
  }

  void input(HostCheck::Buffer& buffer) {
    for (unsigned i = 0; i < 9; ++i) buffer[i] = check.word() | 1;
    buffer[9] = check.random() % 2 ? 0x1f80 : 0x5fa1;
    buffer[10] = check.random() % 3 ? check.random() & 7 : 0xffffffff;
    buffer[11] = check.random() & 7;
  }

  template <class Prepare>
  void compare(void (*snippet)(void*), const unsigned char* end, Prepare prepare) {
    for (unsigned round = 0; round < 200; ++round) {
      HostCheck::Buffer host{};
      input(host);
      prepare(host);
      HostCheck::Buffer guest = host;
      const HostCheck::Buffer before = host;
      ASSERT_NO_FATAL_FAILURE(check.on_guest(snippet, end, guest));
      // A switch to another thread in the middle may leave a component in use that was in its initial state (SDM vol. 1
      // 13.6: the processor may track that or not): once more then.
      constexpr unsigned kAttempts = 5;
      for (unsigned attempt = 0; attempt < kAttempts && (attempt == 0 || host != guest); ++attempt) {
        host = before;
        check.on_host(snippet, host);
      }
      for (unsigned i = 0; i < host.size(); ++i)
        ASSERT_EQ(host[i], guest[i]) << "byte 0x" << std::hex << i * 8 << ", mask " << before[10] << ", loaded "
                                     << before[11] << ", mxcsr " << before[9] << ", header " << before[0x600 / 8] << " "
                                     << before[0x608 / 8];
    }
  }
  static void fill_area(HostCheck::Buffer& buffer) {
    for (unsigned i = 0x400 / 8; i < 0x600 / 8; ++i) buffer[i] = 0xa5a5a5a5a5a5a5a5;
    for (unsigned i = 0x640 / 8; i < 0x800 / 8; ++i) buffer[i] = 0xa5a5a5a5a5a5a5a5;
    buffer[0x600 / 8] = 5;
  }
  // A random image with this header.
  void image(HostCheck::Buffer& buffer, u64 xstate_bv, u64 xcomp_bv) {
    for (unsigned i = 0x400 / 8; i < 0x800 / 8; ++i) buffer[i] = check.random();
    buffer[0x400 / 8] = 0x00ff00003800037f | (check.random() & 0xc00);
    buffer[0x408 / 8] = buffer[0x410 / 8] = 0;
    buffer[0x418 / 8] = 0x0000ffff00003fa2;
    for (unsigned i = 0; i < 8; ++i) buffer[0x428 / 8 + 2 * i] &= 0xffff;
    for (unsigned i = 0x600 / 8; i < 0x640 / 8; ++i) buffer[i] = 0;
    buffer[0x600 / 8] = xstate_bv;
    buffer[0x608 / 8] = xcomp_bv;
  }

  HostCheck check;
};

TEST_F(Xsave, standard_images_equal_the_hosts) {
  compare(xsave_image, xsave_image_end, fill_area);
  compare(xsave64_image, xsave64_image_end, fill_area);
}

TEST_F(Xsave, optimised_images_equal_the_hosts) {
  if (!host_has(0xd, 1, 0)) GTEST_SKIP() << "this processor has no XSAVEOPT";
  compare(xsaveopt_image, xsaveopt_image_end, fill_area);
}

TEST_F(Xsave, compacted_images_equal_the_hosts) {
  if (!host_has(0xd, 1, 1)) GTEST_SKIP() << "this processor has no XSAVEC";
  compare(xsavec_image, xsavec_image_end, fill_area);
}

TEST_F(Xsave, standard_images_are_restored_as_on_the_host) {
  compare(xrstor_image, xrstor_image_end, [this](auto& buffer) { image(buffer, check.random() & 7, 0); });
}

TEST_F(Xsave, compacted_images_are_restored_as_on_the_host) {
  if (!host_has(0xd, 1, 1)) GTEST_SKIP() << "this processor has no XSAVEC";
  compare(xrstor_then_xsavec, xrstor_then_xsavec_end, [this](auto& buffer) {
    const u64 format = check.random() & 7;
    image(buffer, check.random() & format, format | kXcompCompacted);
  });
}

TEST_F(Xsave, xgetbv_shows_what_is_in_use) {
  if (!host_has(0xd, 1, 2)) GTEST_SKIP() << "this processor has no XGETBV with ECX = 1";
  compare(xgetbv_of_what_is_in_use, xgetbv_of_what_is_in_use_end, [](auto&) {});
}

// One instruction in ring 0 with EDX:EAX = 7 on the area at kBuffer; false: it faulted (there is no IDT).
bool runs(HostCheck& check, std::initializer_list<u8> code) {
  State& s = check.cpu().state();
  u64 at = HostCheck::kCode;
  for (const u8 byte : code) check.bus().poke<u8>(at++, byte);
  check.bus().poke<u8>(at, 0xf4);
  s.rip = HostCheck::kCode;
  s.gpr[RDI] = HostCheck::kBuffer;
  s.gpr[RAX] = 7;
  s.gpr[RDX] = 0;
  s.idtr.limit = 0;
  check.cpu().state_changed();
  return check.cpu().run(10) == Stop::hlt;
}

TEST(XsaveFaults, headers_are_checked) {
  struct Header {
    const char* what;
    u64 xstate_bv, xcomp_bv, reserved;
    bool standard, supervisor;  // whether XRSTOR, XRSTORS accept it
  };
  constexpr Header kHeaders[] = {
      {"standard", 7, 0, 0, true, false},
      {"empty", 0, 0, 0, true, false},
      {"component beyond XCR0", 0x207, 0, 0, false, false},
      {"standard with a format", 7, 7, 0, false, false},
      {"standard with reserved bytes", 7, 0, 1, false, false},
      {"compacted", 5, 7 | kXcompCompacted, 0, true, true},
      {"compacted, a component that the format lacks", 7, 5 | kXcompCompacted, 0, false, false},
      {"compacted, a format beyond XCR0", 5, 0x207 | kXcompCompacted, 0, false, false},
      {"compacted with reserved bytes", 5, 7 | kXcompCompacted, 1, false, false},
  };
  for (const Header& header : kHeaders) {
    HostCheck check;
    const u64 at = HostCheck::kBuffer;
    check.bus().poke<u32>(at + 24, 0x1f80);
    check.bus().poke<u64>(at + 512, header.xstate_bv);
    check.bus().poke<u64>(at + 520, header.xcomp_bv);
    check.bus().poke<u64>(at + 528, header.reserved);
    EXPECT_EQ(runs(check, {0x0f, 0xae, 0x2f}), header.standard) << "XRSTOR, " << header.what;
    EXPECT_EQ(runs(check, {0x0f, 0xc7, 0x1f}), header.supervisor) << "XRSTORS, " << header.what;
  }
}

TEST(XsaveFaults, xsaves_writes_the_compacted_format_in_ring_0_only) {
  HostCheck check;
  State& s = check.cpu().state();
  s.fpu.ymm[0].q = {1, 2, 3, 4};
  EXPECT_TRUE(runs(check, {0x0f, 0xc7, 0x2f}));  // xsaves (%rdi)
  EXPECT_EQ(check.bus().peek<u64>(HostCheck::kBuffer + 512), 6u);
  EXPECT_EQ(check.bus().peek<u64>(HostCheck::kBuffer + 520), 7 | kXcompCompacted);
  EXPECT_EQ(check.bus().peek<u64>(HostCheck::kBuffer + 576), 3u);
  s.cpl = 3;
  s.seg[CS].attributes |= 0x60;
  s.seg[SS].attributes |= 0x60;
  EXPECT_FALSE(runs(check, {0x0f, 0xc7, 0x2f}));
}

TEST(XsaveFaults, pkru_is_a_component) {
  HostCheck check;
  State& s = check.cpu().state();
  s.fpu.xcr0 = 0x207;
  s.fpu.pkru = 0x55555554;
  EXPECT_TRUE(runs(check, {0xb8, 0x00, 0x02, 0x00, 0x00, 0x0f, 0xae, 0x27}));  // mov $0x200, %eax; xsave (%rdi)
  EXPECT_EQ(check.bus().peek<u64>(HostCheck::kBuffer + 512), 0x200u);
  EXPECT_EQ(check.bus().peek<u64>(HostCheck::kBuffer + 2688), 0x55555554u);
  s.fpu.pkru = 0;
  EXPECT_TRUE(runs(check, {0xb8, 0x00, 0x02, 0x00, 0x00, 0x0f, 0xae, 0x2f}));  // xrstor (%rdi)
  EXPECT_EQ(s.fpu.pkru, 0x55555554u);
}

// SSE exceptions: flags set in MXCSR, #XM, or #UD without CR4.OSXMMEXCPT; the destination stays.
TEST(SimdExceptions, unmasked_ones_are_delivered) {
  HostCheck check;
  State& s = check.cpu().state();
  constexpr u8 kDivps[] = {0x0f, 0x5e, 0xc1, 0xf4};  // divps %xmm1, %xmm0; hlt
  struct Case {
    u32 divisor, mxcsr;
    bool osxmmexcpt;
    int vector;  // -1: none
    u32 flags;
  };
  constexpr Case kCases[] = {
      {0, 0x1f80, true, -1, 4},              // 1 / 0, masked
      {0, 0x1d80, true, XM, 4},              // ZM clear
      {0, 0x1d80, false, UD, 4},             // the operating system does not know #XM
      {0x40400000, 0x0f80, true, XM, 0x20},  // 1 / 3 is inexact
      {0x40000000, 0x0000, true, -1, 0},     // 1 / 2 raises nothing
      {1, 0x1e80, true, XM, 2},              // a denormal divisor
      {0x7f800001, 0x1f00, true, XM, 1},     // a signalling NaN
  };
  for (const Case& c : kCases) {
    check.bus().poke(HostCheck::kCode, kDivps);
    for (unsigned v = 0; v < 32; ++v) {
      check.bus().poke<u64>(0x4000 + v * 16, u64{0x9000 + v * 16} | u64{8} << 16 | u64{0x8e} << 40);
      check.bus().poke<u64>(0x4000 + v * 16 + 8, 0);
      check.bus().poke<u8>(0x9000 + v * 16, 0xf4);
    }
    check.bus().poke<u64>(0x5008, 0x00af9b000000ffff);
    s.gdtr = {.base = 0x5000, .limit = 0xff};
    s.idtr = {.base = 0x4000, .limit = 0x1ff};
    s.cr4 = c.osxmmexcpt ? s.cr4 | CR4_OSXMMEXCPT : s.cr4 & ~u64{CR4_OSXMMEXCPT};
    s.rip = HostCheck::kCode;
    s.gpr[RSP] = HostCheck::kStack;
    s.fpu.mxcsr = c.mxcsr;
    s.fpu.ymm[0].q = {0x3f8000003f800000, 0x3f8000003f800000, 0, 0};
    s.fpu.ymm[1].q = {u64{c.divisor} << 32 | c.divisor, u64{c.divisor} << 32 | c.divisor, 0, 0};
    check.cpu().state_changed();
    ASSERT_EQ(check.cpu().run(10), Stop::hlt);
    const int vector = s.rip == HostCheck::kCode + 4 ? -1 : static_cast<int>((s.rip - 0x9000) / 16);
    EXPECT_EQ(vector, c.vector) << std::hex << "divisor " << c.divisor << ", MXCSR " << c.mxcsr;
    EXPECT_EQ(s.fpu.mxcsr & 0x3f, c.flags) << std::hex << "divisor " << c.divisor << ", MXCSR " << c.mxcsr;
    if (c.vector != -1) {
      EXPECT_EQ(s.fpu.ymm[0].q[0], 0x3f8000003f800000u);
    }
  }
}

}  // namespace
}  // namespace mock::cpu
