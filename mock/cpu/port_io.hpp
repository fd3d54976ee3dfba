// Port accesses of IN OUT INS OUTS: permission, devices inside the VM, waiting for user space.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

// IOPL and the TSS's I/O permission bitmap (SDM vol. 1 19.5). False: #GP(0) or a fault of reading the bitmap is
// recorded.
bool bitmap_allows(Core& core, u16 port, unsigned size);
inline bool port_allowed(Core& core, u16 port, unsigned size) {
  if (!core.is_protected() || (!core.is_v86() && core.s.cpl <= core.iopl())) [[likely]]
    return true;
  return bitmap_allows(core, port, size);
}

// One element. False: user space must supply `batch` elements first.
bool port_in(Core& core, u16 port, unsigned size, u64 batch, u64& value);

// IN: false when user space must supply the value; the instruction then waits.
bool port_in_register(Core& core, u16 port, unsigned size, u64& value);

// OUT: false when user space must take it; the instruction then waits.
bool port_out(Core& core, u16 port, unsigned size, u64 value);

// OUTS: the element leaves when the iteration has retired.
void port_out_retiring(Core& core, u16 port, unsigned size, u64 value);

}  // namespace mock::cpu
