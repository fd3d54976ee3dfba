// Runs the same machine code on this machine's CPU and on the interpreter (64-bit mode) and compares the memory it
// leaves. Snippets are functions in assembler: buffer in RDI (4 KiB, 64-byte aligned), may use RAX, RCX, RDX, R8-R11
// and all vector and x87 registers, end in RET. They store what is to be compared (results, status words, flags) in the
// buffer.
#pragma once

#include <gtest/gtest.h>

#include <random>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/system_test_bus.hpp"

// HOST_CHECK(name, "instructions"): defines `void name(void*)` and name_end.
#define HOST_CHECK(name, text)                                                                          \
  asm(".pushsection .text\n.globl " #name "\n" #name ":\n" text "\n\tret\n" #name "_end: .globl " #name \
      "_end\n\t.byte 0xf4\n.popsection\n");                                                             \
  extern "C" void name(void*);                                                                          \
  extern "C" const unsigned char name##_end[]

namespace mock::cpu {

class HostCheck {
 public:
  using Buffer = std::array<u64, 512>;
  static constexpr u64 kCode = 0x8000, kBuffer = 0x20000, kStack = 0x7000;

  HostCheck() {
    State& s = cpu_.state();
    bus_.cpuid_leaves[{0, 0}].eax = 0xd;
    bus_.cpuid_leaves[{0xd, 2}] = {256, 576, 0, 0};
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_MP;
    s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    s.efer = EFER_LME | EFER_LMA;
    s.fpu.xcr0 = 7;
    s.cr3 = 0x1000;
    bus_.poke<u64>(0x1000, 0x2007);
    bus_.poke<u64>(0x2000, 0x3007);
    bus_.poke<u64>(0x3000, 0x87);
    s.seg[CS] = Segment{.base = 0, .limit_bytes = 0xffffffff, .selector = 8, .attributes = 0xa9b};
    for (const SegReg reg : {SS, DS, ES}) {
      s.seg[reg] = Segment{.base = 0, .limit_bytes = 0xffffffff, .selector = 16, .attributes = 0xc93};
    }
    bus_.poke<u8>(0x6000, 0xf4);
    cpu_.state_changed();
  }

  // Both leave the buffer as the snippet left it.
  static void on_host(void (*snippet)(void*), Buffer& buffer) {
    alignas(64) Buffer copy = buffer;
    alignas(64) std::array<u8, 512> saved;
    asm volatile("fxsave %0" : "=m"(saved));
    snippet(copy.data());
    asm volatile("fxrstor %0"
                 :
                 : "m"(saved)
                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                   "xmm12", "xmm13", "xmm14", "xmm15", "rbx");
    buffer = copy;
  }

  void on_guest(void (*snippet)(void*), const unsigned char* end, Buffer& buffer) {
    const auto* begin = reinterpret_cast<const unsigned char*>(snippet);
    for (u64 i = 0; begin + i != end; ++i) bus_.poke<u8>(kCode + i, begin[i]);
    bus_.poke(kBuffer, buffer);
    bus_.poke<u64>(kStack, 0x6000);
    State& s = cpu_.state();
    s.rip = kCode;
    s.gpr[RSP] = kStack;
    s.gpr[RDI] = kBuffer;
    s.fpu.fcw = 0x37f;
    s.fpu.fsw = 0;
    s.fpu.ftw = 0;
    s.fpu.mxcsr = 0x1f80;
    cpu_.set_rflags(2);
    const Stop stop = cpu_.run(1000000);
    ASSERT_EQ(stop, Stop::hlt) << "rip " << std::hex << s.rip << " (snippet at 8000), vector " << int(s.event.vector);
    ASSERT_EQ(s.rip, 0x6001u);
    buffer = bus_.peek<Buffer>(kBuffer);
  }

  // Random input words `in_words` at the start of the buffer, from a mix of ordinary and extreme patterns.
  void compare(void (*snippet)(void*), const unsigned char* end, unsigned in_words, unsigned rounds) {
    for (unsigned round = 0; round < rounds; ++round) {
      Buffer host{}, guest{};
      for (unsigned i = 0; i < in_words; ++i) host[i] = word();
      const Buffer input = host;
      guest = host;
      on_host(snippet, host);
      ASSERT_NO_FATAL_FAILURE(on_guest(snippet, end, guest));
      for (unsigned i = 0; i < host.size(); ++i) {
        ASSERT_EQ(host[i], guest[i]) << "word " << i << std::hex << " (byte " << i * 8 << "), round " << round
                                     << ", input " << input[0] << " " << input[1] << " " << input[2] << " " << input[3];
      }
    }
  }

  Cpu& cpu() { return cpu_; }
  SystemTestBus& bus() { return bus_; }
  std::mt19937_64 random{1};

  u64 word() {
    constexpr u64 kEdges[] = {0,
                              ~u64{0},
                              u64{1} << 63,
                              0x7fffffffffffffff,
                              0x3ff0000000000000,
                              0x7ff0000000000000,
                              0xfff0000000000000,
                              0x7ff8000000000000,
                              0x7ff4000000000001,
                              1,
                              0x000fffffffffffff,
                              0x0010000000000000,
                              0x3f8000003f800000,
                              0x7f80000000000001,
                              0x7fc00000ff800000,
                              0x00000001807fffff,
                              0x4059000000000000,
                              0xc1e0000000000000,
                              0x41dfffffffc00000,
                              0x7fff7fff80008000,
                              0x8080808080808080,
                              0x4000000000000000};
    const u64 r = random();
    if (r % 4 == 0) return kEdges[(r >> 8) % std::size(kEdges)];
    if (r % 4 == 1) return std::bit_cast<u64>(static_cast<double>(static_cast<s64>(random()) >> (r >> 8) % 60));
    if (r % 4 == 2) {
      const auto f = [&] {
        return u64{std::bit_cast<u32>(static_cast<float>(static_cast<s32>(random()) >> (r >> 8) % 28))};
      };
      return f() | f() << 32;
    }
    return random();
  }

 private:
  SystemTestBus bus_;
  Cpu cpu_{bus_};
};

}  // namespace mock::cpu
