// Stacks as far transfers and event delivery use them: possibly not the current one, with a fault vector of their own,
// and committed to RSP only when everything else has succeeded. SDM vol. 3 5.8.5, 6.12.1, 6.14.2, 7.2.1, 7.7.
#pragma once

#include "mock/cpu/core.hpp"
#include "mock/cpu/descriptor.hpp"

namespace mock::cpu {

// A stack that values are pushed to or popped from; the caller stores `rsp` back when the transfer is certain.
class SystemStack {
 public:
  // The current stack with the current privilege; limit violations are #SS(0).
  static SystemStack current(Core& core);
  // The stack of another privilege level. is_64bit: no limit check, RSP is used whole. Limit violations:
  // #SS(error_code).
  static SystemStack other(Core& core, const Segment& ss, u64 rsp, bool is_64bit, u8 cpl, u32 error_code);

  bool push(u64 value, unsigned size_bytes);
  bool pop(u64& value, unsigned size_bytes);
  // The value `offset` bytes above the top, without popping.
  bool peek(u64 offset, u64& value, unsigned size_bytes);
  void drop(u64 bytes) { set_pointer(rsp + bytes); }
  void align16() { rsp &= ~u64{15}; }
  // RSP as it must be stored: bits outside the stack's width keep the old value.
  void commit() { core_.s.gpr[RSP] = rsp; }

  u64 rsp;

 private:
  SystemStack(Core& core, const Segment& ss, u64 rsp_value, u64 mask, bool is_implicit, u32 error_code)
      : rsp(rsp_value), core_(core), ss_(ss), mask_(mask), is_implicit_(is_implicit), error_code_(error_code) {}

  void set_pointer(u64 value) { rsp = (rsp & ~mask_) | (value & mask_); }
  bool address(u64 pointer, unsigned size_bytes, u64& linear);

  Core& core_;
  Segment ss_;
  u64 mask_;  // of the pointer: 16, 32 or 64 bits
  bool is_implicit_;
  u32 error_code_;
};

// SS:(E)SP of privilege `cpl` in a 16- or 32-bit TSS, checked as the target of a call gate or an interrupt. Faults:
// #TS, #SS.
bool read_inner_stack(Core& core, u8 cpl, Segment& ss, u64& rsp);

// RSP of privilege `cpl` (slot 0-2), or an IST entry (slot 4-10 for IST 1-7), in a 64-bit TSS. Faults: #TS; a
// non-canonical value is #SS(0).
bool read_long_stack(Core& core, unsigned slot, u64& rsp);

}  // namespace mock::cpu
