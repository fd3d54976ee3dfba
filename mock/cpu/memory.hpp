// The translation caches, for the engine's own files. Semantics use Core's methods.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

void init_tlbs(Core& core);
void free_tlbs(Core& core);
void use_current_tlb(Core& core);  // after a change of privilege or alignment checking
void clear_tlbs(Core& core);
void clear_tlb_page(Core& core, u64 linear);
void clear_tlb_writes(Core& core, const u8* host_page);  // null: all

// What lies at a linear address: host memory, or a device at gpa when host is null. Good to the end of the page.
struct Location {
  u8* host = nullptr;
  Gpa gpa{};
};
bool locate(Core& core, u64 linear, Access access, Privilege privilege, Location& location);

bool slow_segment_allows(const Core& core, SegReg segment, u64 offset, unsigned size, Access access);

}  // namespace mock::cpu
