// The engine's view of one CPU: architectural state plus what makes it run fast (lazy flags, translation cache,
// blocks), and the operations that instruction semantics are written in.
//
// Rules for semantics (families of instructions, paging, segments, exceptions, far transfers):
//  * A function that can fault returns bool. On false it has recorded the reason in the core (raise(), page_fault(),
//  stop_*())
//    and has changed nothing architectural: the instruction can be restarted.
//  * An instruction without its own fast handler is `bool f(Core&, const Op&)`, made a row by `call<f>` (row.hpp).
//  * Rows marked kEndsBlock see state.rip already at the next instruction and may change it; on false the engine puts
//  it back to the
//    instruction itself. Other rows must not look at state.rip. Whatever changes RIP, a mode, a segment register's
//    hidden part, CPL, paging, IF or a shadow must end the block. After changing any of CR0, CR3, CR4, EFER, CPL, a
//    segment register, RFLAGS.VM/AC/IF/TF: call mode_changed() (cheap; recomputes what is cached from them).
//  * Guest memory is touched only through read/write (explicit accesses, CPL decides) and read_system/write_system
//  (implicit
//    supervisor accesses to descriptor tables, TSS, IDT). Device memory works everywhere: the engine repeats the
//    instruction with the recorded data.
#pragma once

#include <memory>

#include "mock/cpu/features.hpp"
#include "mock/cpu/op.hpp"
#include "mock/cpu/state.hpp"
#include "mock/cpu/stop.hpp"

namespace mock::cpu {

// What paging.cpp answers. The page is 4 KiB whatever the size of the mapping.
struct Translation {
  u64 page = 0;           // guest-physical address of the 4-KiB page
  bool global = false;    // survives a MOV to CR3 (PGE)
  bool writable = false;  // a write with the same privilege would succeed without another walk (D is set already)
};

// Whose rights an access has; index of the TLB that caches it. supervisor: SMAP applies (implicit accesses always);
// supervisor_ac: explicit access at CPL 0-2 with RFLAGS.AC set, SMAP does not apply.
enum class Privilege : u8 { supervisor, user, supervisor_ac };

enum PageFaultError : u32 { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16, PF_PK = 32 };

// Lazy arithmetic flags. CF is eager; the others follow from the last result.
//  ZF = result == 0; SF = sign(result) ^ sign delta; PF = parity(result ^ parity delta); AF = bit 4 of carries;
//  OF = bit 63 of carries ^ CF. Results and carries are sign-extended from the operand size.
struct LazyFlags {
  u32 carry = 0;    // bit 0: CF; bits 8-15: parity delta; bit 31: sign delta
  u64 result = 1;   // sign-extended
  u64 carries = 0;  // a ^ b ^ result, sign-extended
};

struct TlbEntry {
  u64 read_tag, write_tag, execute_tag;  // linear page address, or kInvalidTag
  u8* host_minus_linear;                 // host pointer = this + linear
};
static_assert(sizeof(TlbEntry) == 32);
inline constexpr u64 kInvalidTag = 1;
inline constexpr unsigned kTlbShift = 12 - 5;  // linear address -> byte offset of its entry, before masking

// Starts as a shared table of one entry that never matches, grows with use.
struct Tlb {
  TlbEntry* entries;
  u64 byte_mask;  // (number of entries - 1) * sizeof(TlbEntry)
  u32 misses;     // since the last growth
  u32 fills;      // since the last flush; the first kNoted of them are noted, so that a flush need not sweep the table
  static constexpr u32 kNoted = 64;
  u16 noted[kNoted];
};

// A segment register prepared for the fast path: an access may start at `offset` if offset + size - 1 <= last (signed).
struct SegmentView {
  u64 base;
  s64 read_last, write_last;  // -1: never; the slow path finds out why
};

struct Block;
struct BlockCache;

struct JumpEntry {
  u64 rip;
  Block* block;
};

// Accesses of the current instruction to device memory. Reads are answered from here when the instruction is repeated
// after user space has supplied data; writes leave when the instruction has retired.
struct DeviceLog {
  static constexpr unsigned kReads = 16;
  static constexpr unsigned kWrites = 129;  // what INS has read ahead, not aligned
  struct Entry {
    u64 gpa;
    u8 size;
    std::array<u8, 8> data;
  };
  u8 reads = 0;     // recorded
  u8 replayed = 0;  // of them, used by the current attempt
  u8 writes = 0;
  u8 written = 0;  // of them, already delivered
  std::array<Entry, kReads> read;
  std::array<Entry, kWrites> write;
};

// The instruction that waits for user space.
struct Completion {
  enum class Kind : u8 { none, in, out, ins, device_read, device_write, msr_read, msr_write, hypercall };
  Kind kind = Kind::none;
  u8 size = 0;
  u64 rip = 0, next_rip = 0;
};

// Work to do when the current instruction has retired.
enum After : u8 {
  kAfterDevice = 1,  // device log in use
  kAfterCode = 2,    // the instruction changed code: what follows may be stale
  kAfterStop = 4,    // stop_after()
  kAfterSlice = 8,   // run() returns: a repetition has taken long
};

inline constexpr u64 kDr6SingleStep = 1u << 14;

enum class Leave : u8 { none, lookup, fault, retired };

struct Core {
  explicit Core(Bus& bus);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  State s;
  LazyFlags lazy;
  u32 flags = kFlagsFixedOne;  // RFLAGS without the arithmetic bits
  Bus& bus;
  Features features;  // of the guest's CPUID; read again when the owner changes the table (Cpu::cpuid_changed)

  // --- Flags
  // -------------------------------------------------------------------------------------------------------------
  u64 rflags() const;          // all bits, materialised
  void set_rflags(u64 value);  // raw; the caller has applied masks. Calls mode_changed() when VM, AC, IF or TF change
  void set_arith_flags(u32 arith);  // only CF PF AF ZF SF OF

  // --- Modes (from the current state; cheap)
  // -----------------------------------------------------------------------------
  bool is_protected() const { return s.cr0 & CR0_PE; }
  bool is_v86() const { return flags & VM; }
  bool is_real() const { return !(s.cr0 & CR0_PE); }
  bool is_long() const { return s.efer & EFER_LMA; }
  bool is_64bit() const { return is_long() && s.seg[CS].l(); }
  unsigned code_bits() const { return is_64bit() ? 64 : s.seg[CS].db() ? 32 : 16; }
  unsigned iopl() const { return (flags >> 12) & 3; }
  void mode_changed();

  // --- Faults and stops: record and return false
  // ---------------------------------------------------------------------------
  bool raise(Vector vector);                  // without error code
  bool raise(Vector vector, u32 error_code);  // with error code
  bool page_fault(u64 linear, u32 error_code);
  bool stop(Stop reason);        // before the instruction: RIP stays on it. info holds the details
  bool stop_after(Stop reason);  // returns true: the instruction retires, then run() returns. Rows with kEndsBlock only
  bool stop_host_fault(u64 gpa);  // a slot without usable host memory
  // User space must answer; engine completes: MSR read -> EDX:EAX, hypercall -> RAX, RIP to the next instruction.
  bool stop_msr_read(u32 index);
  bool stop_msr_write(u32 index, u64 value);
  bool stop_hypercall();

  struct Fault {
    bool is_stop = false;  // else `event` is an exception to deliver
    Stop stop = Stop::budget;
    Event event;
  };
  Fault fault;
  StopInfo info;

  // --- Guest memory
  // ---------------------------------------------------------------------------------------------------- Segment
  // checks: offset -> linear address for an access of `size` bytes. #GP(0), #SS(0) for the stack segment.
  bool linear(SegReg segment, u64 offset, unsigned size, Access access, u64& linear_address);

  // Explicit accesses with the current privilege. T: u8 u16 u32 u64 or a trivially copyable type up to 64 bytes.
  template <class T>
  bool read(SegReg segment, u64 offset, T& value) {
    u64 address;
    return linear(segment, offset, sizeof(T), Access::read, address) && read_linear(address, &value, sizeof(T));
  }
  template <class T>
  bool write(SegReg segment, u64 offset, const T& value) {
    u64 address;
    return linear(segment, offset, sizeof(T), Access::write, address) && write_linear(address, &value, sizeof(T));
  }
  bool read_linear(u64 address, void* data, unsigned size);
  bool write_linear(u64 address, const void* data, unsigned size);
  // True if an access of that many bytes would not fault now (A/D bits may get set).
  bool probe(u64 address, unsigned size, Access access);
  bool probe_write(u64 address, unsigned size) { return probe(address, size, Access::write); }

  // Implicit supervisor accesses.
  template <class T>
  bool read_system(u64 address, T& value) {
    return read_supervisor(address, &value, sizeof(T));
  }
  template <class T>
  bool write_system(u64 address, const T& value) {
    return write_supervisor(address, &value, sizeof(T));
  }
  bool read_supervisor(u64 address, void* data, unsigned size);
  bool write_supervisor(u64 address, const void* data, unsigned size);

  // Stack of the current mode: SP/ESP/RSP by SS.B and 64-bit mode. size: 2, 4, 8.
  u64 stack_mask() const { return is_64bit() ? ~u64{0} : s.seg[SS].db() ? 0xffffffffu : 0xffffu; }
  bool push(u64 value, unsigned size);
  bool pop(u64& value, unsigned size);

  // --- Operands of an Op, for instructions without a specialised handler
  // -----------------------------------------------------
  u64 effective_address(const Op& op) const;  // offset in op.segment(), truncated to the address size
  u64 register_value(u8 slot, unsigned size) const;
  void set_register(u8 slot, unsigned size, u64 value);  // size 4 clears the upper half
  bool read_operand(const Op& op, unsigned operand, unsigned size, u64& value);
  bool write_operand(const Op& op, unsigned operand, unsigned size, u64 value);
  u64 rip_of(const Op& op) const;  // block.hpp
  u64 next_rip_of(const Op& op) const { return rip_of(op) + op.length; }

  // --- Translations and blocks
  // ------------------------------------------------------------------------------------------
  void flush_tlb(bool keep_global);  // MOV CR3, paging bits of CR0/CR4/EFER
  void flush_page(u64 address);      // INVLPG
  void flush_all_memory();           // memory slots changed: host pointers and blocks are void
  void flush_writes();               // dirty log was read: every page must ask Bus::page again before it is written
  // Serialising instruction, new run(): code bytes are compared again before use.
  void forget_verification() {
    first_valid_epoch = last_epoch + 1;
    if (first_valid_epoch == 0) [[unlikely]]
      return new_epoch();
    epoch = mode_slots[mode_slot].epoch = last_epoch = first_valid_epoch;
  }
  void step_changed();  // one of the reasons to step appeared or went
  void new_epoch();     // of the current mode alone

  // --- Engine
  // ----------------------------------------------------------------------------------------------------------
  TlbEntry* tlb_entries;  // of the current privilege
  u64 tlb_byte_mask;
  SegmentView view[6];
  u64 linear_mask = ~u64{0};  // 32 bits outside 64-bit mode
  u64 code_last = 0;          // last valid RIP; ~0 in 64-bit mode
  u32 epoch = 1;              // blocks verified in this epoch may be entered without a check
  u32 mode_key = 0;
  u64 block_key = 0;  // what decoding depends on: the mode and the code segment's limit
  struct ModeSlot {
    u32 key = 0;
    u32 epoch = 0;  // none before first_valid_epoch
    u64 code_base = 0, code_last = 0;
  };
  std::array<ModeSlot, 8>
      mode_slots;     // epochs of recently used modes, so that returning to a mode finds its blocks verified
  u32 mode_slot = 0;  // of the current mode
  u32 next_mode_slot = 0;
  u32 last_epoch = 0, first_valid_epoch = 1;
  u8 after = 0;
  bool step = false;       // one instruction at a time: TF, RF, shadow
  bool other_cpus = true;  // code may be changed by another CPU: serialising instructions look again
  bool step_once = false;  // the run loop's wish: the budget does not suffice for a block
  bool interrupt_waiting = false, window_waiting = false;  // attention put aside while IF is clear or a shadow lasts
  bool nmi_held_back = false;                              // until the IRET that has just ended
  Leave leaving = Leave::none;
  const Op* next_op = nullptr;  // call-threaded builds only

  // For Cpu::host_page_vanished: the instruction that touches guest memory (null: RIP is exact), and the event whose
  // delivery does.
  const Op* in_flight = nullptr;
  Event delivering;
  s64 budget_left = 0;
  u64 retired = 0;              // instructions, up to the last return of run()
  u8 fault_length = 0;          // length of the instruction that left by leave_fault
  bool shadow_renewed = false;  // set by STI, MOV SS, POP SS: this shadow is theirs, for the next instruction
  bool keep_rf = false;         // set by IRET: RF stays for the next instruction
  bool mid_repetition = false;  // a repeated string instruction has iterations left
  bool is_intercepted = false;  // this instruction is one that the owner executes: CPUID, INS ...
  bool is_slice_over = false;   // run() is to return
  u32 repetition_cost = 0;      // of the slice so far
  bool is_emulated = false;     // as in KVM's emulator: goes on after an answer of user space, or INS writes
  JumpEntry* jumps;
  u64 jump_byte_mask = 0;
  u32 jump_fills = 0;
  void note_jump(u64 rip, Block* block);
  void forget_jumps();
  bool breakpoints_armed = false;  // DR7 enables a breakpoint: one instruction at a time
  bool watches_data = false;       // ... a data breakpoint: no access takes the fast path
  bool event_delivered = false;    // during this instruction (INT n): no single-step trap after it
  u64 breakpoint_hits = 0;         // B0-B3 for DR6: data and I/O breakpoints that this instruction met
  Block** link = nullptr;          // where to note the block that the next lookup finds
  Privilege privilege = Privilege::supervisor;
  Tlb tlbs[3];  // by Privilege
  // The last translation that led to a device, for accesses of one kind.
  struct DevicePage {
    u64 linear_page = kInvalidTag;
    u64 page = 0;
    Privilege privilege{};
  };
  DevicePage device_pages[2];  // read, write
  // Pages with code that may be written: they are kept out of the translation cache, but need no walk each time.
  struct CodePageView {
    u64 linear_page = kInvalidTag;
    u8* host_page = nullptr;
    Privilege privilege{};
  };
  CodePageView code_pages[4];  // by the low bits of the page number
  DeviceLog device;
  Completion completion;
  std::unique_ptr<u8[]> ins_data;  // elements of INS from user space
  u32 ins_count = 0, ins_used = 0;
  std::unique_ptr<BlockCache> blocks;
};

}  // namespace mock::cpu
