// Segment registers: descriptor fetch, the checks of a data or stack segment load, and what real and virtual-8086 mode
// do instead. SDM vol. 3 3.4, 5.4-5.6, vol. 2 MOV/POP/LDS; APM vol. 2 4.8-4.12. CS is loaded by far.hpp only.
#pragma once

#include "mock/cpu/core.hpp"
#include "mock/cpu/descriptor.hpp"

namespace mock::cpu {

// Linear address of a descriptor of `size` bytes; false if it lies beyond the limit of its table. Raises nothing.
bool find_descriptor(const Core& core, Selector selector, unsigned size, u64& address);

// Fetches the descriptor from GDT or LDT. Beyond the table's limit: `vector`(selector).
bool read_descriptor(Core& core, Selector selector, Vector vector, Descriptor& descriptor);

// The same for a 16-byte system descriptor of long mode; an upper type field that is not 0 is `vector`(selector), too.
bool read_long_descriptor(Core& core, Selector selector, Vector vector, Descriptor& descriptor);

// Sets the accessed bit of a code or data descriptor in its table, if it is clear.
bool set_accessed(Core& core, Selector selector, Descriptor& descriptor);

// MOV/POP to ES, SS, DS, FS, GS and LDS..LGS, in every mode. Real and virtual-8086 mode also: CS.
bool load_segment(Core& core, SegReg reg, u16 selector);

// What a segment register holds after a load in real or virtual-8086 mode.
Segment real_mode_segment(const Core& core, SegReg reg, u16 selector);
Segment vm86_segment(u16 selector);

// The checks of a stack segment that a transfer to privilege `cpl` loads: not null, RPL and DPL equal to cpl, writable,
// else `vector`(selector); present, else #SS(selector). Sets the accessed bit.
bool check_stack_segment(Core& core, Selector selector, u8 cpl, Vector vector, Segment& segment);

// Whether [offset, offset + size) lies inside the segment (expand-down included); 64-bit mode has no such check.
bool is_within_limit(const Segment& segment, u64 offset, unsigned size);

// A return to an outer privilege level leaves no data segment that the new level could not have loaded.
void drop_inner_segments(Core& core, u8 new_cpl);

}  // namespace mock::cpu
