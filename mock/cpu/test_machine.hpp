// A CPU with flat RAM for unit tests: devices beyond RAM answer by exits, snippets are assembled by the compiler.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "mock/cpu/cpu.hpp"

// Machine code under a name, with its end: SNIPPET(hello, ".code16", "mov $1, %ax; hlt"); in namespace scope.
#define SNIPPET(name, mode, text)                                                                                     \
  asm(".pushsection .rodata\n" mode "\n.globl snippet_" #name "\nsnippet_" #name ":\n" text "\n.globl snippet_" #name \
      "_end\nsnippet_" #name "_end:\n.byte 0\n.code64\n.popsection\n");                                               \
  extern "C" const unsigned char snippet_##name[], snippet_##name##_end[];                                            \
  inline std::string_view name() {                                                                                    \
    return {reinterpret_cast<const char*>(snippet_##name),                                                            \
            static_cast<std::size_t>(snippet_##name##_end - snippet_##name)};                                         \
  }

namespace mock::cpu {

class FlatBus : public Bus {
 public:
  explicit FlatBus(u64 bytes)
      : bytes_(bytes), ram_(static_cast<u8*>(std::aligned_alloc(kPageSize, bytes)), &std::free) {
    std::memset(ram_.get(), 0, bytes);
  }

  Page page(Gpa address, Access access) override {
    if (address.value == absent_page) return {Page::Kind::absent, nullptr};
    if (address.value >= bytes_) return {};
    if (access == Access::write && address.value == read_only_page) return {};
    return {Page::Kind::ram, ram_.get() + address.value};
  }
  Reply port_in(u16, unsigned, void*) override { return Reply::exit; }
  Reply port_out(u16, unsigned, const void*) override { return Reply::exit; }
  Reply mmio_read(Gpa, unsigned, void*) override { return Reply::exit; }
  Reply mmio_write(Gpa, unsigned, const void*) override { return Reply::exit; }
  Reply read_msr(u32, u64&) override { return Reply::fault; }
  Reply write_msr(u32, u64) override { return Reply::fault; }
  CpuidResult cpuid(u32, u32) override { return {}; }
  u64 read_tsc() override { return 0; }
  int acknowledge_interrupt() override {
    const int v = vector;
    vector = -1;
    return v;
  }
  Reply write_cr8(u8) override { return Reply::done; }
  u8 read_cr8() override { return 0; }

  u8* ram() { return ram_.get(); }
  u64 absent_page = ~u64{0}, read_only_page = ~u64{0};
  int vector = -1;

 private:
  u64 bytes_;
  std::unique_ptr<u8, void (*)(void*)> ram_;
};

struct FlatMachine {
  explicit FlatMachine(u64 bytes = 1 << 20) : bus(bytes), cpu(bus) {}

  void load(u64 address, std::string_view code) { std::memcpy(bus.ram() + address, code.data(), code.size()); }
  template <class T>
  T peek(u64 address) {
    T value;
    std::memcpy(&value, bus.ram() + address, sizeof value);
    return value;
  }
  template <class T>
  void poke(u64 address, T value) {
    std::memcpy(bus.ram() + address, &value, sizeof value);
  }

  State& s() { return cpu.state(); }
  u64& reg(Gpr r) { return cpu.state().gpr[r]; }

  static Segment segment(u16 selector, u16 attributes, u32 limit) {
    Segment seg;
    seg.selector = selector;
    seg.attributes = attributes;
    seg.limit_bytes = limit;
    return seg;
  }

  void real_mode(u64 ip) {
    for (Segment& seg : s().seg) {
      seg.base = 0;
      seg.selector = 0;
    }
    s().rip = ip;
    reg(RSP) = 0x8000;
    cpu.state_changed();
  }

  void protected_mode(u64 eip) {
    s().cr0 |= CR0_PE;
    s().seg[CS] = segment(8, 0xc9b, 0xffffffff);
    for (SegReg r : {ES, SS, DS, FS, GS}) s().seg[r] = segment(16, 0xc93, 0xffffffff);
    s().rip = eip;
    reg(RSP) = 0x8000;
    cpu.state_changed();
  }

  // Identity map of the first gigabyte with 2-MiB pages, tables at `tables` (three pages).
  void long_mode(u64 rip, u64 tables = 0x70000) {
    poke<u64>(tables, (tables + 0x1000) | 7);
    poke<u64>(tables + 0x1000, (tables + 0x2000) | 7);
    for (u64 i = 0; i < 512; ++i) poke<u64>(tables + 0x2000 + i * 8, i << 21 | 0x87);
    s().cr3 = tables;
    s().cr4 = CR4_PAE;
    s().efer = EFER_LME | EFER_LMA;
    s().cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
    s().seg[CS] = segment(8, 0xa9b, 0xffffffff);
    for (SegReg r : {ES, SS, DS, FS, GS}) s().seg[r] = segment(16, 0xc93, 0xffffffff);
    s().rip = rip;
    reg(RSP) = 0x8000;
    cpu.state_changed();
  }

  FlatBus bus;
  Cpu cpu;
};

}  // namespace mock::cpu
