// The architectural state of one virtual CPU, as plain data. Names follow the SDM/APM. Nothing here knows how
// instructions are decoded or cached; what the interpreter keeps beside it (lazy flags, TLB, blocks) lives in its own
// headers.
#pragma once

#include <atomic>

#include "mock/cpu/bus.hpp"

namespace mock::cpu {

enum Gpr : u8 { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum SegReg : u8 { ES, CS, SS, DS, FS, GS };  // encoding order

enum Flag : u32 {
  CF = 1u << 0,
  PF = 1u << 2,
  AF = 1u << 4,
  ZF = 1u << 6,
  SF = 1u << 7,
  TF = 1u << 8,
  IF = 1u << 9,
  DF = 1u << 10,
  OF = 1u << 11,
  IOPL = 3u << 12,
  NT = 1u << 14,
  RF = 1u << 16,
  VM = 1u << 17,
  AC = 1u << 18,
  VIF = 1u << 19,
  VIP = 1u << 20,
  ID = 1u << 21,
};
inline constexpr u32 kArithFlags = CF | PF | AF | ZF | SF | OF;
inline constexpr u32 kFlagsFixedOne = 1u << 1;

enum Cr0 : u32 {
  CR0_PE = 1u << 0,
  CR0_MP = 1u << 1,
  CR0_EM = 1u << 2,
  CR0_TS = 1u << 3,
  CR0_ET = 1u << 4,
  CR0_NE = 1u << 5,
  CR0_WP = 1u << 16,
  CR0_AM = 1u << 18,
  CR0_NW = 1u << 29,
  CR0_CD = 1u << 30,
  CR0_PG = 1u << 31
};
enum Cr4 : u32 {
  CR4_VME = 1u << 0,
  CR4_PVI = 1u << 1,
  CR4_TSD = 1u << 2,
  CR4_DE = 1u << 3,
  CR4_PSE = 1u << 4,
  CR4_PAE = 1u << 5,
  CR4_MCE = 1u << 6,
  CR4_PGE = 1u << 7,
  CR4_PCE = 1u << 8,
  CR4_OSFXSR = 1u << 9,
  CR4_OSXMMEXCPT = 1u << 10,
  CR4_UMIP = 1u << 11,
  CR4_LA57 = 1u << 12,
  CR4_VMXE = 1u << 13,
  CR4_FSGSBASE = 1u << 16,
  CR4_PCIDE = 1u << 17,
  CR4_OSXSAVE = 1u << 18,
  CR4_SMEP = 1u << 20,
  CR4_SMAP = 1u << 21,
  CR4_PKE = 1u << 22
};
enum Efer : u32 {
  EFER_SCE = 1u << 0,
  EFER_LME = 1u << 8,
  EFER_LMA = 1u << 10,
  EFER_NX = 1u << 11,
  EFER_SVME = 1u << 12,
  EFER_LMSLE = 1u << 13,
  EFER_FFXSR = 1u << 14,
  EFER_TCE = 1u << 15
};

enum Vector : u8 {
  DE = 0,
  DB = 1,
  NMI = 2,
  BP = 3,
  OF_ = 4,
  BR = 5,
  UD = 6,
  NM = 7,
  DF_ = 8,
  TS = 10,
  NP = 11,
  SS_ = 12,
  GP = 13,
  PF_ = 14,
  MF = 16,
  AC_ = 17,
  MC = 18,
  XM = 19
};

// A segment register with its hidden part. `attributes` has the descriptor's bits 40-47 in 0-7 (type, s, dpl, p) and
// its bits 52-55 in 8-11 (avl, l, db, g). `limit_bytes` is the byte-granular limit (g already applied).
struct Segment {
  u64 base = 0;
  u32 limit_bytes = 0xffff;
  u16 selector = 0;
  u16 attributes = 0;
  bool unusable = false;

  u8 type() const { return attributes & 0xf; }
  bool is_code_or_data() const { return attributes & 0x10; }
  u8 dpl() const { return (attributes >> 5) & 3; }
  bool present() const { return attributes & 0x80; }
  bool avl() const { return attributes & 0x100; }
  bool l() const { return attributes & 0x200; }
  bool db() const { return attributes & 0x400; }
  bool g() const { return attributes & 0x800; }
};

struct DescriptorTable {
  u64 base = 0;
  u16 limit = 0xffff;
};

// Bits of State::attention: reasons to leave the block loop at the next block boundary.
enum Attention : u32 {
  kAttentionStop = 1u << 0,       // the owner wants run() to return (signal, immediate_exit, kick)
  kAttentionInterrupt = 1u << 1,  // Bus::acknowledge_interrupt may have a vector
  kAttentionNmi = 1u << 2,
  kAttentionSmi = 1u << 3,
  kAttentionFlush = 1u << 4,     // another CPU or the owner wants translations or blocks dropped
  kAttentionWindow = 1u << 5,    // return as soon as an interrupt could be delivered
  kAttentionInternal = 1u << 6,  // the core's own: TF, shadow, pending exception
};

// An event waiting to be delivered at the next instruction boundary, or being delivered when run() stopped.
struct Event {
  enum class Kind : u8 { none, exception, interrupt, soft_interrupt, nmi };
  Kind kind = Kind::none;
  u8 vector = 0;
  bool has_error_code = false;
  u32 error_code = 0;
  bool has_payload = false;  // CR2 or DR6 not yet written
  u64 payload = 0;
  u8 instruction_length = 0;  // soft interrupts
};

struct alignas(16) XmmOrYmm {
  std::array<u64, 4> q{};
};

struct FpuState {
  std::array<std::array<u64, 2>, 8> st{};  // by physical register, 80 bits each
  u16 fcw = 0x37f, fsw = 0;
  u8 ftw = 0;  // abridged: bit set = valid
  u16 last_opcode = 0;
  u64 last_ip = 0, last_dp = 0;
  u32 mxcsr = 0x1f80;
  std::array<XmmOrYmm, 16> ymm{};
  u64 xcr0 = 1;
  u32 pkru = 0;
};

// Power-up values are set by reset() (SDM table 9-1, and what KVM gives a new vcpu).
struct State {
  std::array<u64, 16> gpr{};
  u64 always_zero = 0;  // register slot of an absent base or index register; never written
  u64 rip = 0;
  std::atomic<u32> attention{0};

  std::array<Segment, 6> seg{};
  Segment ldtr, tr;
  DescriptorTable gdtr, idtr;
  u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
  u64 efer = 0;
  std::array<u64, 4> pdptr{};
  std::array<u64, 4> dr{};
  u64 dr6 = 0, dr7 = 0;
  u8 cpl = 0;
  // RFLAGS is not here: its arithmetic bits are lazy. Core::rflags() / set_rflags().

  bool interrupt_shadow_sti = false, interrupt_shadow_mov_ss = false;
  bool nmi_blocked = false;
  bool in_smm = false;
  bool smm_inside_nmi = false;  // NMIs were blocked when the SMI came
  Event event;                  // to be delivered before the next instruction
  struct {
    bool takes_debug = false;  // #DB is no guest's: Stop::debug
    bool steps = false;        // TF is the owner's
    u64 step_rip = 0;          // linear, where stepping began
  } owner;
  bool nmi_pending = false, smi_pending = false;

  u64 star = 0, lstar = 0, cstar = 0, fmask = 0, kernel_gs_base = 0;
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 tsc_aux = 0, pat = 0x0007040600070406;
  u64 tsc_offset = 0;
  u64 smbase = 0x30000;

  FpuState fpu;
};

}  // namespace mock::cpu
