// System instructions executed as code: descriptor inspection, table registers, privilege of each, what the guest's
// CPUID switches off.
#include <gtest/gtest.h>

#include "mock/cpu/code_test_machine.hpp"

namespace mock::cpu {
namespace {

using Machine = CodeMachine;

TEST(SystemOps, lar_lsl_verr_verw_look_without_faulting) {
  Machine m;
  m.set(RCX, 0x38);
  m.run({0x0f, 0x02, 0xc1, 0x0f, 0x03, 0xd9});  // lar eax, ecx; lsl ebx, ecx
  EXPECT_EQ(m.reg(RAX), 0x00409200u);
  EXPECT_EQ(m.reg(RBX), 0xfffu);
  EXPECT_TRUE(m.zf());
  Machine beyond;
  beyond.set(RCX, 0x40);
  beyond.set(RAX, 5);
  beyond.run({0x0f, 0x02, 0xc1});
  EXPECT_FALSE(beyond.zf());
  EXPECT_EQ(beyond.reg(RAX), 5u);
  Machine code;
  code.set(RCX, 0x08);
  code.run({0x0f, 0x00, 0xe9});  // verw cx
  EXPECT_FALSE(code.zf());
}

TEST(SystemOps, arpl_raises_the_rpl) {
  Machine m;
  m.set(RAX, 0x08);
  m.set(RCX, 3);
  m.run({0x63, 0xc8});  // arpl ax, cx
  EXPECT_EQ(m.reg(RAX), 0x0bu);
  EXPECT_TRUE(m.zf());
}

TEST(SystemOps, ltr_marks_the_descriptor_busy_and_lldt_checks_the_type) {
  Machine m;
  m.set(RAX, 0x28);
  m.set(RCX, 0x30);
  m.run({0x0f, 0x00, 0xd8, 0x0f, 0x00, 0xd1, 0x0f, 0x00, 0xc3});  // ltr ax; lldt cx; sldt ebx
  EXPECT_EQ(m.vector(), -1);
  EXPECT_EQ(m.bus.peek<u8>(kGdtAt + 0x28 + 5), 0x8bu);
  EXPECT_EQ(m.reg(RBX), 0x30u);
  Machine bad;
  bad.set(RAX, 0x10);
  bad.run({0x0f, 0x00, 0xd0});  // lldt ax: a data segment
  EXPECT_EQ(bad.vector(), GP);
  EXPECT_EQ(bad.bus.peek<u32>(bad.reg(RSP)), 0x10u);
}

struct Privileged {
  const char* name;
  std::initializer_list<u8> code;
  int vector;
};

TEST(SystemOps, privileged_instructions_fault_in_ring_3) {
  const Privileged kCases[] = {
      {"hlt", {0xf4}, GP},
      {"lgdt", {0x0f, 0x01, 0x15, 0, 0x60, 0, 0}, GP},
      {"mov_cr0", {0x0f, 0x22, 0xc0}, GP},
      {"mov_from_cr0", {0x0f, 0x20, 0xc0}, GP},
      {"mov_dr7", {0x0f, 0x23, 0xf8}, GP},
      {"clts", {0x0f, 0x06}, GP},
      {"lmsw", {0x0f, 0x01, 0xf0}, GP},
      {"invlpg", {0x0f, 0x01, 0x38}, GP},
      {"wbinvd", {0x0f, 0x09}, GP},
      {"rdmsr", {0x0f, 0x32}, GP},
      {"wrmsr", {0x0f, 0x30}, GP},
      {"ltr", {0x0f, 0x00, 0xd8}, GP},
      {"cli", {0xfa}, GP},
      {"sti", {0xfb}, GP},
      {"monitor", {0x0f, 0x01, 0xc8}, UD},
      {"swapgs_outside_64_bit_code", {0x0f, 0x01, 0xf8}, UD},
      {"rdfsbase_outside_64_bit_code", {0xf3, 0x0f, 0xae, 0xc0}, UD},
      {"rsm", {0x0f, 0xaa}, UD},
      {"xgetbv_without_osxsave", {0x0f, 0x01, 0xd0}, UD},
      {"rdtscp_without_cpuid", {0x0f, 0x01, 0xf9}, UD},
      {"mov_cr1", {0x0f, 0x22, 0xc8}, UD},
      {"sysenter_without_msr", {0x0f, 0x34}, GP},
      {"syscall_without_sce", {0x0f, 0x05}, UD},
  };
  for (const Privileged& c : kCases) {
    Machine m(3);
    m.run(c.code);
    EXPECT_EQ(m.vector(), c.vector) << c.name;
  }
}

TEST(SystemOps, table_and_status_stores_are_allowed_in_ring_3_unless_umip) {
  for (const bool umip : {false, true}) {
    Machine m(3);
    m.cpu.state().cr4 = umip ? u64{CR4_UMIP} : 0;
    m.run({0x0f, 0x01, 0x05, 0, 0x60, 0, 0});  // sgdt [0x6000]
    EXPECT_EQ(m.bus.peek<u16>(0x6000), umip ? 0 : 63);
    EXPECT_EQ(m.bus.peek<u32>(0x6002), umip ? 0 : kGdtAt);
    EXPECT_EQ(m.vector(), GP) << "of SGDT, or of the HLT after it";
    EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 4), umip ? kCodeAt : kCodeAt + 7);
  }
}

TEST(SystemOps, lmsw_can_set_pe_but_not_clear_it) {
  Machine m;
  m.set(RAX, 0xe);
  m.run({0x0f, 0x01, 0xf0});  // lmsw ax
  EXPECT_EQ(m.cpu.state().cr0, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET);
}

TEST(SystemOps, debug_registers_4_and_5_are_aliases_without_de) {
  Machine m;
  m.set(RAX, 0xffffffff);
  m.run({0x0f, 0x23, 0xe0, 0x0f, 0x21, 0xf3});  // mov dr4, eax; mov ebx, dr6
  EXPECT_EQ(m.reg(RBX), 0xffffefffu);
  Machine de;
  de.cpu.state().cr4 = CR4_DE;
  de.run({0x0f, 0x23, 0xe0});
  EXPECT_EQ(de.vector(), UD);
}

TEST(SystemOps, general_detect_stops_debug_register_access) {
  Machine m;
  m.cpu.state().dr7 = 0x2400;
  m.run({0x0f, 0x21, 0xc0});  // mov eax, dr0
  EXPECT_EQ(m.vector(), DB);
  EXPECT_EQ(m.cpu.state().dr6, 0xffff2ff0u);
  EXPECT_EQ(m.cpu.state().dr7, 0x400u);
}

TEST(SystemOps, bound_and_into) {
  Machine m;
  m.bus.poke<u32>(0x6000, 2);
  m.bus.poke<u32>(0x6004, 5);
  m.set(RAX, 5);
  m.run({0x62, 0x05, 0, 0x60, 0, 0});  // bound eax, [0x6000]
  EXPECT_EQ(m.vector(), -1);
  Machine out;
  out.bus.poke<u32>(0x6004, 5);
  out.set(RAX, 6);
  out.run({0x62, 0x05, 0, 0x60, 0, 0});
  EXPECT_EQ(out.vector(), BR);
  Machine over;
  over.set(RAX, 0x7fffffff);
  over.run({0x40, 0xce});  // inc eax; into
  EXPECT_EQ(over.vector(), OF_);
}

TEST(SystemOps, sysenter_and_sysexit_in_protected_mode) {
  Machine m(3);
  State& s = m.cpu.state();
  s.sysenter_cs = 0x08;
  s.sysenter_eip = 0x9100;
  s.sysenter_esp = 0x9200;
  constexpr u8 kKernel[] = {0xb9, 0x00, 0x94, 0, 0,    0xba,
                            0x00, 0x93, 0,    0, 0x0f, 0x35};  // mov ecx, 9400; mov edx, 9300; sysexit
  m.bus.poke(0x9100, kKernel);
  constexpr u8 kUser[] = {0x8c, 0xc8, 0x0f, 0x0b};  // mov eax, cs; ud2
  m.bus.poke(0x9300, kUser);
  m.run({0x0f, 0x34});
  EXPECT_EQ(m.vector(), UD);
  EXPECT_EQ(m.reg(RAX), 0x1bu);
  EXPECT_EQ(m.bus.peek<u32>(m.reg(RSP) + 12), 0x9400u) << "ESP of ring 3";
}

TEST(SystemOps, rdrand_repeats) {
  Machine first, again;
  first.run({0x0f, 0xc7, 0xf0});  // rdrand eax
  EXPECT_TRUE(first.cpu.rflags() & CF);
  again.run({0x0f, 0xc7, 0xf0});
  EXPECT_EQ(first.reg(RAX), again.reg(RAX));
}

TEST(SystemOps, cpuid_mirrors_osxsave_and_random_cr4_bits_fault) {
  Machine m;
  m.bus.cpuid_leaves[{1, 0}].ecx = 1u << 26;
  m.set(RAX, CR4_OSXSAVE);
  m.run({0x0f, 0x22, 0xe0, 0xb8, 1, 0, 0, 0, 0x31, 0xc9, 0x0f, 0xa2});  // mov cr4, eax; mov eax, 1; xor ecx, ecx; cpuid
  EXPECT_EQ(m.vector(), -1);
  EXPECT_EQ(m.reg(RCX), 3u << 26);
  Machine bad;
  bad.set(RAX, CR4_SMEP);
  bad.run({0x0f, 0x22, 0xe0});
  EXPECT_EQ(bad.vector(), GP);
}

}  // namespace
}  // namespace mock::cpu
