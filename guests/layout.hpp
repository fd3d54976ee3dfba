// The machine every guest runs on, as pure data: where things lie in guest memory (layout.def), what the tables there
// contain in each mode, and the control registers and segments a CPU starts the guest with.
//
// Memory: prepare_memory() fills vectors, handlers, descriptor tables and page tables. A vector V that is taken without
// the guest's own doing runs the handler at handler(V), which stops with HLT (so RIP is handler(V) + 1 and the frame is
// at RSP), and returns to the guest if it is run again.
#pragma once

#include <cstdint>
#include <span>

namespace guests {

// How the CPU runs the guest. prot32 has paging off, paged32 has 32-bit page tables with 4 MiB pages, pae32 PAE tables.
enum class Mode : std::uint8_t { real, prot32, paged32, pae32, long64 };
inline constexpr Mode kEveryMode[] = {Mode::real, Mode::prot32, Mode::paged32, Mode::pae32, Mode::long64};

// "real", "prot32" ...
const char* name(Mode mode);

// kLoad, kData, kStackTop ...: layout.def.
#define PLACE(assembler_name, name, value) inline constexpr std::uint32_t k##name = value;
#include "guests/layout.def"
#undef PLACE

// Guest address of the handler of a vector.
constexpr std::uint64_t handler(unsigned vector) { return kHandlers + vector * kHandlerBytes; }

// Guest address of the lowest-level page table entry that maps `address` (below 2 MiB), and its size. 0 without paging.
std::uint64_t pte_address(Mode mode, std::uint64_t address);
unsigned pte_bytes(Mode mode);

// Bytes that the CPU pushes per word of an interrupt frame: 2, 4 or 8.
constexpr unsigned word_bytes(Mode mode) { return mode == Mode::real ? 2 : mode == Mode::long64 ? 8 : 4; }

// Whether the CPU pushes an error code for this exception vector outside real mode.
constexpr bool has_error_code(unsigned vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

// A segment register as the hardware holds it; fields as in struct kvm_segment.
struct Segment {
  std::uint64_t base;
  std::uint32_t limit;
  std::uint16_t selector;
  std::uint8_t type, present, dpl, db, s, l, g;
};

struct Cpu {
  std::uint64_t cr0, cr3, cr4, efer;
  Segment cs, ds, es, fs, gs, ss, tr;
  std::uint64_t gdt_base, idt_base;
  std::uint16_t gdt_limit, idt_limit;
};

// What the control and segment registers hold when a guest of this mode starts. RIP is kLoad, RSP kStackTop, RFLAGS 2.
Cpu start_cpu(Mode mode);

// Fills everything but code and data. `ram` is guest memory from 0, kRamBytes long and zeroed.
void prepare_memory(Mode mode, std::span<std::uint8_t> ram);

}  // namespace guests
