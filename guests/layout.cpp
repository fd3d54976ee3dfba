// Builds the vectors, descriptor tables and page tables of each mode. SDM volume 3: 3.4.5 (descriptors), 4 (paging),
// 6.11 (gates), 7 (task state segment), 20 (real mode).
#include "guests/layout.hpp"

#include <cstring>

namespace guests {
namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 kCr0Pe = 1, kCr0Et = 0x10, kCr0Ne = 0x20, kCr0Pg = 1ull << 31;
constexpr u64 kCr4Pse = 0x10, kCr4Pae = 0x20, kCr4Sse = 0x600;
constexpr u64 kEferLongMode = 0x500;
constexpr u64 kTableEntry = 7;  // present, writable, user
constexpr u64 kLargePage = 0x87;
constexpr u64 kIst1Top = kRamBytes;
constexpr u32 kTssBytes = 0x68;

class Memory {
 public:
  explicit Memory(std::span<u8> ram) : ram_(ram) {}

  template <class T>
  void put(u64 address, T value) const {
    std::memcpy(ram_.data() + address, &value, sizeof value);
  }

 private:
  std::span<u8> ram_;
};

// A flat code or data descriptor. flags: the descriptor's bits 52-55 (avl, l, db, g).
constexpr u64 flat(u64 type, u64 dpl, u64 flags) {
  return 0xffff | 0xf'0000ull << 32 | (type | 0x10 | dpl << 5 | 0x80) << 40 | flags << 52;
}
constexpr u64 kCode = 0xa, kDataRw = 0x2;
constexpr u64 kG = 8, kDb = 4, kL = 2;

void put_gdt(const Memory& memory, bool is_long) {
  const u64 native = is_long ? kG | kL : kG | kDb;
  memory.put<u64>(kGdt + kKernelCs, flat(kCode, 0, native));
  memory.put<u64>(kGdt + kKernelDs, flat(kDataRw, 0, kG | kDb));
  memory.put<u64>(kGdt + (kUserCs32 & ~7), flat(kCode, 3, kG | kDb));
  memory.put<u64>(kGdt + (kUserDs & ~7), flat(kDataRw, 3, kG | kDb));
  memory.put<u64>(kGdt + (kUserCs & ~7), flat(kCode, 3, native));
  memory.put<u64>(kGdt + kTssSel, (kTssBytes - 1) | kTss << 16 | 0x89ull << 40);
  memory.put<u64>(kGdt + kCode16Cs, flat(kCode, 0, 0) & ~(0xf'0000ull << 32));
  memory.put<u64>(kGdt + kCode32Cs, flat(kCode, 0, kG | kDb));
}

void put_tss(const Memory& memory, bool is_long) {
  if (is_long) {
    memory.put<u64>(kTss + 4, kStackTop);
    memory.put<u64>(kTss + 0x24, kIst1Top);
  } else {
    memory.put<u32>(kTss + 4, kStackTop);
    memory.put<u16>(kTss + 8, kKernelDs);
  }
  memory.put<u16>(kTss + 0x66, kTssBytes);  // I/O bitmap beyond the limit: no port for ring 3
}

// Interrupt gates. Ring 3 may use those of INT3, INTO and INT 0x80.
void put_vectors(const Memory& memory, Mode mode) {
  for (unsigned vector = 0; vector < 256; ++vector) {
    const u64 target = handler(vector);
    const u64 dpl = vector == 3 || vector == 4 || vector == 0x80 ? 3 : 0;
    const u64 gate = (target & 0xffff) | u64{kKernelCs} << 16 | (0x8e | dpl << 5) << 40 | (target >> 16) << 48;
    if (mode == Mode::real) {
      memory.put<u32>(vector * 4, target);
    } else if (mode == Mode::long64) {
      memory.put<u64>(kIdt + vector * 16, gate);
    } else {
      memory.put<u64>(kIdt + vector * 8, gate);
    }
  }
}

void put_handlers(const Memory& memory, Mode mode) {
  for (unsigned vector = 0; vector < 256; ++vector) {
    u64 at = handler(vector);
    memory.put<u8>(at++, 0xf4);  // hlt
    if (mode != Mode::real && has_error_code(vector)) {
      if (mode == Mode::long64) memory.put<u8>(at++, 0x48);
      memory.put<u16>(at, 0xc483);  // add $word_bytes, %esp or %rsp
      memory.put<u8>(at + 2, word_bytes(mode));
      at += 3;
    }
    if (mode == Mode::long64) memory.put<u8>(at++, 0x48);
    memory.put<u8>(at, 0xcf);  // iret
  }
}

void put_page_tables(const Memory& memory, Mode mode) {
  if (mode == Mode::paged32) {
    memory.put<u32>(kPd32, kPt32 | kTableEntry);
    for (u32 i = 1; i < 1024; ++i) memory.put<u32>(kPd32 + i * 4, i << 22 | kLargePage);
    for (u32 i = 0; i < 1024; ++i) memory.put<u32>(kPt32 + i * 4, i << 12 | kTableEntry);
    return;
  }
  if (mode == Mode::pae32) {
    memory.put<u64>(kPdptPae, kPd | 1);
    memory.put<u64>(kPdptPae + 3 * 8, kPdTop | 1);
  } else {
    memory.put<u64>(kPml4, kPdpt | kTableEntry);
    memory.put<u64>(kPdpt, kPd | kTableEntry);
    memory.put<u64>(kPdpt + 3 * 8, kPdTop | kTableEntry);
  }
  memory.put<u64>(kPd, kPt | kTableEntry);
  for (u64 i = 1; i < 512; ++i) memory.put<u64>(kPd + i * 8, i << 21 | kLargePage);
  for (u64 i = 0; i < 512; ++i) memory.put<u64>(kPdTop + i * 8, 3ull << 30 | i << 21 | kLargePage);
  for (u64 i = 0; i < 512; ++i) memory.put<u64>(kPt + i * 8, i << 12 | kTableEntry);
}

constexpr Segment real_segment(u16 selector, u8 type) {
  return {.base = u64{selector} << 4, .limit = 0xffff, .selector = selector, .type = type, .present = 1, .s = 1};
}

Cpu real_cpu() {
  const Segment data = real_segment(0, 3);
  return {.cr0 = kCr0Et,
          .cr4 = kCr4Sse,
          .cs = real_segment(0, 11),
          .ds = data,
          .es = data,
          .fs = real_segment(kMmioBase >> 4, 3),
          .gs = real_segment(kSpare >> 4, 3),
          .ss = data,
          .tr = {.limit = 0xffff, .type = 11, .present = 1},
          .idt_limit = 256 * 4 - 1};
}

}  // namespace

const char* name(Mode mode) {
  static constexpr const char* kNames[] = {"real", "prot32", "paged32", "pae32", "long64"};
  return kNames[static_cast<unsigned>(mode)];
}

std::uint64_t pte_address(Mode mode, std::uint64_t address) {
  if (mode == Mode::real || mode == Mode::prot32) return 0;
  return mode == Mode::paged32 ? kPt32 + (address >> 12) * 4 : kPt + (address >> 12) * 8;
}

unsigned pte_bytes(Mode mode) { return mode == Mode::paged32 ? 4 : 8; }

Cpu start_cpu(Mode mode) {
  if (mode == Mode::real) return real_cpu();
  const bool is_long = mode == Mode::long64;
  const Segment data = {.limit = 0xffff'ffff, .selector = kKernelDs, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
  Segment code = data;
  code.selector = kKernelCs;
  code.type = 11;
  code.db = !is_long;
  code.l = is_long;
  Cpu cpu = {.cr0 = kCr0Pe | kCr0Et | kCr0Ne,
             .cr4 = kCr4Sse,
             .cs = code,
             .ds = data,
             .es = data,
             .fs = data,
             .gs = data,
             .ss = data,
             .tr = {.base = kTss, .limit = kTssBytes - 1, .selector = kTssSel, .type = 11, .present = 1},
             .gdt_base = kGdt,
             .idt_base = kIdt,
             .gdt_limit = kCode32Cs + 7,
             .idt_limit = static_cast<u16>(256 * (is_long ? 16 : 8) - 1)};
  if (mode != Mode::prot32) cpu.cr0 |= kCr0Pg;
  if (mode == Mode::paged32) {
    cpu.cr3 = kPd32;
    cpu.cr4 |= kCr4Pse;
  } else if (mode == Mode::pae32) {
    cpu.cr3 = kPdptPae;
    cpu.cr4 |= kCr4Pae;
  } else if (is_long) {
    cpu.cr3 = kPml4;
    cpu.cr4 |= kCr4Pae;
    cpu.efer = kEferLongMode;
  }
  return cpu;
}

void prepare_memory(Mode mode, std::span<std::uint8_t> ram) {
  const Memory memory(ram);
  put_vectors(memory, mode);
  put_handlers(memory, mode);
  if (mode == Mode::real) return;
  put_gdt(memory, mode == Mode::long64);
  put_tss(memory, mode == Mode::long64);
  if (mode != Mode::prot32) put_page_tables(memory, mode);
}

}  // namespace guests
