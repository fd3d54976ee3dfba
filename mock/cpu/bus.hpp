// What the CPU sees of the world: memory pages, ports, device memory, and the few registers whose meaning lies outside
// the CPU core. The owner (mock/vm) implements it; unit tests implement a small one. The CPU never learns what is
// behind it.
#pragma once

#include "kvmapi/address.hpp"
#include "kvmapi/types.hpp"

namespace mock::cpu {

using namespace kvmapi;  // u8 ... s64, Gpa, Gva, Hva, kPageSize

enum class Access : u8 { read, write, execute };

// What lies behind one guest-physical page.
struct Page {
  enum class Kind : u8 {
    ram,     // `host` is the page, usable for the access asked for
    device,  // no memory: every access goes to Bus::mmio_read / mmio_write (also: a write to a read-only slot)
    absent,  // a slot covers the page but the host has no usable memory there: EFAULT from KVM_RUN
  };
  Kind kind = Kind::device;
  u8* host = nullptr;  // start of the page frame, page aligned
};

// Answer of a port, device or MSR access.
enum class Reply : u8 {
  done,   // handled inside the VM
  exit,   // user space must answer: the CPU stops and resumes when the owner completes the access
  fault,  // MSR only: the access raises #GP(0)
};

// A sequence of pseudo-random numbers (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
struct SplitMix64 {
  u64 state = 0;

  u64 next() {
    u64 z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
};

class Bus {
 public:
  virtual ~Bus() = default;

  // Called on a TLB miss only, never per access. The owner may note the page as dirty when access is write.
  virtual Page page(Gpa page_address, Access access) = 0;

  // One element of 1, 2 or 4 bytes.
  virtual Reply port_in(u16 port, unsigned size_bytes, void* data) = 0;
  virtual Reply port_out(u16 port, unsigned size_bytes, const void* data) = 0;

  // At most 8 bytes, never crossing a page.
  virtual Reply mmio_read(Gpa address, unsigned size_bytes, void* data) = 0;
  virtual Reply mmio_write(Gpa address, unsigned size_bytes, const void* data) = 0;

  // Asked before RDMSR and WRMSR of any MSR. done: go on; exit, fault: as below, without a look at the MSR.
  virtual Reply allow_msr(u32 index, bool is_write) {
    (void)index, (void)is_write;
    return Reply::done;
  }
  // MSRs that the core does not keep in State (see msr.cpp for the list it keeps).
  virtual Reply read_msr(u32 index, u64& value) = 0;
  virtual Reply write_msr(u32 index, u64 value) = 0;
  // The core refuses the value that the guest writes to one of its own MSRs: fault, or exit for user space to answer.
  virtual Reply refused_msr(u32, bool /*is_write*/) { return Reply::fault; }

  struct CpuidResult {
    u32 eax, ebx, ecx, edx;
  };
  // As the guest sees it, without the bits that mirror CPU state (OSXSAVE, OSPKE, APIC enable): the core patches those.
  virtual CpuidResult cpuid(u32 leaf, u32 subleaf) = 0;

  // The processor under the guest, which may have more than the guest is told of. By default everything.
  virtual CpuidResult processor(u32 leaf, u32 subleaf) {
    (void)leaf, (void)subleaf;
    return {~0u, ~0u, ~0u, ~0u};
  }

  // The counter that State::tsc_offset is added to.
  virtual u64 read_tsc() = 0;

  // RDRAND, RDSEED. By default a fixed sequence, so that runs repeat; an owner may give another or real entropy.
  virtual u64 random() { return random_.next(); }

  // Where KVM, which emulates these instructions, lets its user choose (KVM_CAP_DISABLE_QUIRKS2).
  enum class Quirk : u8 {
    mwait_never_ud,      // MONITOR and MWAIT do nothing also when CPUID has no MONITOR
    fix_hypercall_insn,  // the other vendor's hypercall is rewritten; else #UD
  };
  virtual bool has_quirk(Quirk) { return true; }

  // Asked at an instruction boundary with interrupts enabled while State::attention has kAttentionInterrupt set.
  // The vector to deliver, or -1 if there is none.
  virtual int acknowledge_interrupt() = 0;

  // The guest wrote CR8 (or the TPR through it).
  virtual Reply write_cr8(u8 value) = 0;
  virtual u8 read_cr8() = 0;

 private:
  SplitMix64 random_;
};

}  // namespace mock::cpu
