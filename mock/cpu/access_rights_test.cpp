// Instructions that change what an address may be used for: MOV CR3 and INVPCID with PCIDs, INVLPG, PKRU. Translations
// that a guest has given up are not used any more.
#include <gtest/gtest.h>

#include "mock/cpu/cpu.hpp"
#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/system_test_bus.hpp"

namespace mock::cpu {
namespace {

constexpr u64 kCodeAt = 0x8000, kIdtAt = 0x2000, kGdtAt = 0x1000, kHandlers = 0x5000, kPt = 0x13000;
constexpr u64 kPage = 0x40000;  // its entry is at kPt + 0x200

// Long mode at privilege 0, 4-KiB pages of user rights; the handler of vector v halts at 5000 + v.
struct Machine {
  SystemTestBus bus;
  Cpu cpu{bus};

  Machine() {
    bus.poke<u64>(0x10000, 0x11007);
    bus.poke<u64>(0x11000, 0x12007);
    bus.poke<u64>(0x12000, kPt | 7);
    for (u64 i = 0; i < 256; ++i) bus.poke<u64>(kPt + i * 8, i << 12 | 7);
    bus.poke<u64>(kGdtAt + 8, 0x00af9b000000ffff);
    for (u32 v = 0; v < 32; ++v) {
      bus.poke<u64>(kIdtAt + v * 16, pack_gate(8, static_cast<u32>(kHandlers + v), kInterruptGate32, 0));
      bus.poke<u8>(kHandlers + v, 0xf4);
    }
    bus.cpuid_leaves[{0, 0}].eax = 7;
    bus.cpuid_leaves[{1, 0}].ecx = 1u << 17;
    bus.cpuid_leaves[{7, 0}] = {0, 1u << 10, 1u << 3, 0};
    State& s = cpu.state();
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP;
    s.cr4 = CR4_PAE | CR4_PKE;
    s.efer = EFER_LME | EFER_LMA;
    s.cr3 = 0x10000;
    s.gdtr = {.base = kGdtAt, .limit = 15};
    s.idtr = {.base = kIdtAt, .limit = 511};
    s.seg[CS] = {.base = 0, .limit_bytes = ~0u, .selector = 8, .attributes = 0xa9b};
    s.rip = kCodeAt;
    s.gpr[RSP] = 0x9000;
    s.gpr[RBX] = kPage;
  }
  // The vector taken, -1 if none.
  int run(std::initializer_list<u8> code) {
    u64 at = kCodeAt;
    for (const u8 byte : code) bus.poke(at++, byte);
    bus.poke<u8>(at, 0xf4);
    cpu.state().rip = kCodeAt;
    cpu.state_changed(false);
    EXPECT_EQ(cpu.run(100), Stop::hlt);
    const u64 rip = cpu.state().rip - 1;
    return rip >= kHandlers && rip < kHandlers + 32 ? static_cast<int>(rip - kHandlers) : -1;
  }
  u64& reg(Gpr r) { return cpu.state().gpr[r]; }
};

TEST(AccessRights, pkru_takes_effect_at_once) {
  Machine m;
  m.bus.poke<u64>(kPt + 0x200, kPage | u64{2} << 59 | 7);
  // mov al, [rbx]; xor ecx, ecx; xor edx, edx; mov eax, 0x10; wrpkru; mov al, [rbx]
  EXPECT_EQ(m.run({0x8a, 0x03, 0x31, 0xc9, 0x31, 0xd2, 0xb8, 0x10, 0, 0, 0, 0x0f, 0x01, 0xef, 0x8a, 0x03}), PF_);
  EXPECT_EQ(m.bus.peek<u64>(m.reg(RSP)), 0x21u) << "error code: key, present";
  EXPECT_EQ(m.cpu.state().cr2, kPage);
}

TEST(AccessRights, rdpkru_and_wrpkru_check_their_registers_and_cr4) {
  Machine read;
  read.cpu.state().fpu.pkru = 0x5500;
  EXPECT_EQ(read.run({0x31, 0xc9, 0x0f, 0x01, 0xee}), -1);  // xor ecx, ecx; rdpkru
  EXPECT_EQ(read.reg(RAX), 0x5500u);
  EXPECT_EQ(read.reg(RDX), 0u);
  Machine ecx;
  ecx.reg(RCX) = 1;
  EXPECT_EQ(ecx.run({0x0f, 0x01, 0xee}), GP);
  Machine edx;
  edx.reg(RDX) = 1;
  EXPECT_EQ(edx.run({0x0f, 0x01, 0xef}), GP);
  Machine off;
  off.cpu.state().cr4 = CR4_PAE;
  EXPECT_EQ(off.run({0x0f, 0x01, 0xee}), UD);
}

// INVPCID rax, [rbx] with this descriptor.
int invpcid(Machine& m, u64 type, u64 pcid, u64 address) {
  m.bus.poke<u64>(kPage, pcid);
  m.bus.poke<u64>(kPage + 8, address);
  m.reg(RAX) = type;
  return m.run({0x66, 0x0f, 0x38, 0x82, 0x03});
}

TEST(AccessRights, invpcid_checks_type_pcid_and_address) {
  struct Case {
    const char* name;
    bool pcide;
    u64 type, pcid, address;
    int vector;
  };
  const Case kCases[] = {
      {"address", false, 0, 0, 0x1000, -1},
      {"address_of_a_pcid", true, 0, 5, 0x1000, -1},
      {"address_of_a_pcid_without_pcide", false, 0, 5, 0x1000, GP},
      {"address_that_is_not_canonical", true, 0, 5, u64{1} << 63, GP},
      {"context_does_not_look_at_the_address", true, 1, 5, u64{1} << 63, -1},
      {"context_without_pcide", false, 1, 5, 0, GP},
      {"all", false, 2, 0, 0, -1},
      {"all_but_global", true, 3, 0, 0, -1},
      {"reserved_bits", true, 2, 0x1000, 0, GP},
      {"unknown_type", true, 4, 0, 0, GP},
  };
  for (const Case& c : kCases) {
    Machine m;
    if (c.pcide) m.cpu.state().cr4 |= CR4_PCIDE;
    EXPECT_EQ(invpcid(m, c.type, c.pcid, c.address), c.vector) << c.name;
  }
}

TEST(AccessRights, invpcid_needs_cpuid) {
  Machine m;
  m.bus.cpuid_leaves[{7, 0}].ebx = 0;
  EXPECT_EQ(invpcid(m, 2, 0, 0), UD);
}

TEST(AccessRights, a_changed_entry_is_seen_after_every_kind_of_flush) {
  struct Case {
    const char* name;
    std::initializer_list<u8> flush;
  };
  const Case kCases[] = {
      {"invlpg", {0x0f, 0x01, 0x3b}},                                                   // invlpg [rbx]
      {"mov_cr3", {0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8}},                                // mov rax, cr3; mov cr3, rax
      {"mov_cr4_pge", {0x0f, 0x20, 0xe0, 0x34, 0x80, 0x0f, 0x22, 0xe0}},                // ...; xor al, 0x80; ...
      {"invpcid", {0xb8, 2, 0, 0, 0, 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25, 0, 0, 5, 0}},  // invpcid rax, [0x50000]
  };
  for (const Case& c : kCases) {
    Machine m;
    m.bus.poke<u8>(kPage, 0x11);
    m.bus.poke<u8>(0x41000, 0x22);
    // mov cl, [rbx]; mov dword [kPt + 0x200], 0x41007; <flush>; mov dl, [rbx]
    std::vector<u8> code = {0x8a, 0x0b, 0xc7, 0x04, 0x25, 0x00, 0x32, 0x01, 0x00, 0x07, 0x10, 0x04, 0x00};
    code.insert(code.end(), c.flush.begin(), c.flush.end());
    code.insert(code.end(), {0x8a, 0x13, 0xf4});
    for (std::size_t i = 0; i < code.size(); ++i) m.bus.poke<u8>(kCodeAt + i, code[i]);
    m.cpu.state_changed();
    ASSERT_EQ(m.cpu.run(100), Stop::hlt) << c.name;
    EXPECT_EQ(m.reg(RCX) & 0xff, 0x11u) << c.name;
    EXPECT_EQ(m.reg(RDX) & 0xff, 0x22u) << c.name;
  }
}

TEST(AccessRights, cr3_takes_the_no_flush_bit_only_with_pcide) {
  for (const bool pcide : {true, false}) {
    Machine m;
    if (pcide) m.cpu.state().cr4 |= CR4_PCIDE;
    m.reg(RAX) = u64{1} << 63 | 0x10000 | (pcide ? 5 : 0);
    EXPECT_EQ(m.run({0x0f, 0x22, 0xd8}), pcide ? -1 : GP);
    EXPECT_EQ(m.cpu.state().cr3, pcide ? 0x10005u : 0x10000u);
  }
}

}  // namespace
}  // namespace mock::cpu
