// Why Cpu::run() returned, and what the owner must answer.
#pragma once

#include <array>

#include "kvmapi/address.hpp"
#include "kvmapi/types.hpp"

namespace mock::cpu {

using namespace kvmapi;

enum class Stop : u8 {
  budget,     // the instruction budget is used up; also complete(): finished, nothing pending
  attention,  // State::attention has kAttentionStop
  hlt,        // RIP past the HLT
  io,  // IN/INS wait for complete(data); OUT/OUTS are finished by complete(). RIP on the instruction for IN, OUT, INS
  mmio_read,          // wait for complete(data); RIP on the instruction
  mmio_write,         // RIP past the instruction; complete() delivers the rest of it, if any
  msr_read,           // complete_msr(); RIP on the instruction
  msr_write,          // complete_msr(); RIP on the instruction
  hypercall,          // complete_hypercall(); RIP on the instruction
  set_tpr,            // CR8 was lowered; RIP past the instruction
  debug,              // #DB or #BP that the owner asked for
  shutdown,           // triple fault
  unmodelled,         // instruction without semantics here
  emulation_failure,  // for KVM's emulator, and it fails: code outside memory, an x87 image in device memory
  host_fault,         // guest memory without host page
  no_save_state,      // an SMI came and its save state has no memory; the CPU is in SMM nevertheless
  bad_save_state,     // RSM could not read or load the save state
  interrupt_window,   // kAttentionWindow was set and an interrupt could be delivered now
};

struct StopInfo {
  Stop reason = Stop::budget;
  // io
  bool is_in = false;
  u8 size = 0;  // bytes per element
  u16 port = 0;
  u32 count = 0;  // elements: 1 except for INS
  u64 data = 0;   // OUT, OUTS: the element
  // mmio, host_fault
  Gpa gpa{};
  u8 length = 0;
  std::array<u8, 8> bytes{};  // mmio_write
  // msr
  u32 msr = 0;
  u64 msr_value = 0;
  // unmodelled; 0 bytes when the code could not be fetched
  u8 instruction_length = 0;
  std::array<u8, 15> instruction{};
  // debug
  u8 vector = 0;
  u64 dr6 = 0;
  bool is_intercepted = false;  // the step was over an instruction that the owner executes
};

}  // namespace mock::cpu
