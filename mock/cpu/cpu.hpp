// One virtual CPU for its owner: run until something needs the owner, answer it, read and write state in between.
//
// Between two calls all state is architectural and complete (RIP on the instruction that will run next or is waiting
// for an answer). Not thread-safe, except State::attention, which any thread may set.
#pragma once

#include "mock/cpu/core.hpp"

namespace mock::cpu {

class Cpu {
 public:
  explicit Cpu(Bus& bus) : core_(bus) { reset(); }

  State& state() { return core_.s; }
  const State& state() const { return core_.s; }
  u64 rflags() const { return core_.rflags(); }
  bool has_interrupts_enabled() const { return core_.flags & IF; }  // RFLAGS.IF
  // Sets bit 1; drops nothing else.
  void set_rflags(u64 value) { core_.set_rflags(value); }

  // Call after state() was changed by hand (registers, segments, control registers, MSRs); any number of changes, once.
  // `translations`: something that paging depends on may have changed.
  void state_changed(bool translations = true);

  // The table behind Bus::cpuid changed; read again before the next instruction.
  void cpuid_changed() { features_are_read_ = false; }

  void reset();  // power-up
  void init();   // INIT: like reset, keeps FPU, TSC, most MSRs, CR0.CD/NW

  // Runs until a reason to stop; at most max_instructions instructions start. State::event (if any) is delivered first.
  // A pending answer must have been given by complete*() before.
  Stop run(u64 max_instructions);
  const StopInfo& stop_info() const { return core_.info; }

  // Answers the stop. `data`: the elements of IN/INS, the bytes of mmio_read; else ignored. Finishes the waiting
  // instruction only; Stop::budget when that is done, or the next stop (second part of an access). A PIO whose RIP the
  // owner has changed meanwhile is dropped.
  Stop complete(const void* data);
  Stop complete_msr(bool error, u64 data);  // error: #GP(0)
  Stop complete_hypercall(u64 result);
  bool is_completion_pending() const;
  // Of the stop that waits: the instruction is finished but for its exit, or a string instruction waits at a port.
  bool is_retired() const;
  bool waits_for_string() const;

  // The owner caught a host fault on guest memory inside run() or complete*() (the page behind a translation was
  // unmapped by its user) and left it for good. Makes the state as before the instruction; Stop::host_fault.
  Stop host_page_vanished();

  u64 instructions_retired() const;

  // --- Memory
  // ------------------------------------------------------------------------------------------------------------ From
  // the thread that runs this CPU; another thread sets kAttentionFlush and its wish where the owner keeps it.
  void flush_tlb() { core_.flush_tlb(false); }
  void flush_all_memory() { core_.flush_all_memory(); }  // slots changed
  void flush_writes() { core_.flush_writes(); }          // dirty log was read
  // Linear -> guest physical with supervisor rights and without side effects (KVM_TRANSLATE). False: not mapped.
  bool translate(u64 linear, Gpa& gpa);

  Core& core() { return core_; }

 private:
  bool rip_is_unchanged_since(u64 rip) const;
  Stop complete_slowly(const void* data);
  Stop finish_repeated(bool reads_device);

  Core core_;
  bool features_are_read_ = false;
};

}  // namespace mock::cpu
