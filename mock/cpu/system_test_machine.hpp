// A CPU in a known mode for unit tests of the system side: flat segments, GDT, IDT and TSS at fixed addresses, no
// paging or (long mode) an identity map of 2 MiB pages.
#pragma once

#include "mock/cpu/core.hpp"
#include "mock/cpu/descriptor.hpp"
#include "mock/cpu/system_test_bus.hpp"

namespace mock::cpu {

inline constexpr u64 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kLdt0 = 0x4000;
inline constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x18, kData3 = 0x20, kConforming = 0x28,
                     kTssSelector = 0x30;
inline constexpr u16 kFree = 0x40, kFree2 = 0x48, kFree3 = 0x50;  // for a test's own descriptors
inline constexpr u64 kStack0 = 0x8000, kStack3 = 0x9000;

struct TestMachine {
  SystemTestBus bus;
  Core core{bus};

  void descriptor(u16 selector, u64 raw, u64 upper = 0) {
    bus.poke<u64>(kGdt + (selector & ~7), raw);
    if (upper) bus.poke<u64>(kGdt + (selector & ~7) + 8, upper);
  }
  void segment(SegReg reg, u16 selector) {
    core.s.seg[reg] = Segment{};
    const Descriptor d{bus.peek<u64>(kGdt + (selector & ~7))};
    core.s.seg[reg].base = d.base();
    core.s.seg[reg].limit_bytes = d.limit_bytes();
    core.s.seg[reg].attributes = d.attributes();
    core.s.seg[reg].selector = selector;
  }
  // The vector of the fault just raised, or -1 after success.
  int fault() const { return core.fault.is_stop ? -2 : core.fault.event.vector; }
  u32 error() const { return core.fault.event.error_code; }
  template <class T>
  T stack(unsigned index) const {
    return bus.peek<T>(core.s.gpr[RSP] + index * sizeof(T));
  }

 protected:
  void tables(u64 code_attributes) {
    core.s.gdtr = {.base = kGdt, .limit = 0xff};
    core.s.idtr = {.base = kIdt, .limit = 0xfff};
    descriptor(kCode0, code_attributes | 0x00009b000000ffff);
    descriptor(kData0, 0x00cf93000000ffff);
    descriptor(kCode3, code_attributes | 0x0000fb000000ffff);
    descriptor(kData3, 0x00cff3000000ffff);
    descriptor(kConforming, code_attributes | 0x00009f000000ffff);
    core.s.tr.base = kTss;
    core.s.tr.limit_bytes = 0x67;
    core.s.tr.selector = kTssSelector;
    core.s.tr.attributes = 0x8b;
    segment(CS, kCode0);
    for (const SegReg reg : {SS, DS, ES}) segment(reg, kData0);
    core.s.seg[FS] = core.s.seg[GS] = core.s.seg[ES];
    core.s.gpr[RSP] = kStack0;
    core.s.rip = 0x5000;
  }
};

struct Protected32 : TestMachine {
  Protected32() {
    core.s.cr0 = CR0_PE | CR0_ET;
    tables(0x00cf000000000000);
    descriptor(kTssSelector, pack_descriptor(kTss, 0x67, 0x8b));
    bus.poke<u32>(kTss + 4, kStack0);
    bus.poke<u16>(kTss + 8, kData0);
    core.mode_changed();
  }
  void enter_ring3() {
    segment(CS, kCode3 | 3);
    for (const SegReg reg : {SS, DS, ES}) segment(reg, kData3 | 3);
    core.s.gpr[RSP] = kStack3;
    core.s.cpl = 3;
    core.mode_changed();
  }
  void gate(u8 vector, u32 offset, u8 type = kInterruptGate32, u16 selector = kCode0, u8 dpl = 0) {
    bus.poke<u64>(kIdt + vector * 8, pack_gate(selector, offset, type, dpl));
  }
};

struct Long64 : TestMachine {
  Long64() {
    core.s.cr0 = CR0_PE | CR0_PG | CR0_ET;
    core.s.cr4 = CR4_PAE;
    core.s.efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NX;
    core.s.cr3 = 0x10000;
    bus.poke<u64>(0x10000, 0x11000 | 7);
    bus.poke<u64>(0x11000, 0x12000 | 7);
    bus.poke<u64>(0x12000, 0x0 | 0x87);
    tables(0x00af000000000000);
    descriptor(kTssSelector, pack_descriptor(kTss, 0x67, 0x8b));
    bus.poke<u64>(kTss + 4, kStack0);
    bus.poke<u64>(kTss + 36, 0xa000);  // IST1
    core.mode_changed();
  }
  void enter_ring3() {
    segment(CS, kCode3 | 3);
    for (const SegReg reg : {SS, DS, ES}) segment(reg, kData3 | 3);
    core.s.gpr[RSP] = kStack3;
    core.s.cpl = 3;
    core.mode_changed();
  }
  void gate(u8 vector, u64 offset, u8 type = kInterruptGate32, u16 selector = kCode0, u8 dpl = 0, u8 ist = 0) {
    bus.poke<u64>(kIdt + vector * 16, pack_gate(selector, static_cast<u32>(offset), type, dpl, ist));
    bus.poke<u64>(kIdt + vector * 16 + 8, offset >> 32);
  }
};

struct RealMode : TestMachine {
  RealMode() {
    core.s.cr0 = CR0_ET;
    core.s.idtr = {.base = 0, .limit = 0x3ff};
    for (Segment& segment : core.s.seg) segment.attributes = kReal16Data;
    core.s.seg[CS].attributes = 0x9b;
    core.s.gpr[RSP] = 0x8000;
    core.s.rip = 0x5000;
    core.mode_changed();
  }
};

}  // namespace mock::cpu
