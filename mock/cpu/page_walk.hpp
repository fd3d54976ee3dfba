// Linear to physical translation: the page walk of every paging mode (SDM vol. 3 chapter 4, APM vol. 2 chapter 5). One
// walker serves instruction fetch, data accesses, implicit system accesses and KVM_TRANSLATE. It knows no TLB: the
// answer says what a TLB may keep. Where AMD and Intel differ (bit 8 of upper entries, PSE-36, PDPTEs) `Limits` says
// which way.
#pragma once

#include "mock/cpu/state.hpp"

namespace mock::cpu::page_walk {

// Bits of the #PF error code (SDM vol. 3, 4.7).
enum ErrorCode : u32 {
  kPresent = 1u << 0,
  kWrite = 1u << 1,
  kUser = 1u << 2,
  kReserved = 1u << 3,
  kFetch = 1u << 4,
  kProtectionKey = 1u << 5,
};

// What CPUID promises about paging.
struct Limits {
  u8 physical_bits = 48;     // CPUID 80000008h EAX[7:0]
  bool has_1g_pages = true;  // CPUID 80000001h EDX.26
  bool is_amd = true;        // G bit of PML4E/PML5E reserved, PSE-36 reaches 40 bits, PDPTEs are read on each walk
};

struct Request {
  Gva linear;
  Access access = Access::read;
  bool user = false;           // CPL 3 and not an implicit access
  bool smap_override = false;  // an explicit access with RFLAGS.AC set
};

enum class Effects : u8 {
  none,            // KVM_TRANSLATE, debuggers
  accessed_dirty,  // set A on the way, A (and D on a write) in the last entry when the access is allowed
};

struct Result {
  enum class Status : u8 {
    ok,
    page_fault,  // error_code says why; CR2 is the caller's to write
    absent,      // `physical` is a paging structure whose memory the host does not have (EFAULT from KVM_RUN)
  };
  Status status = Status::ok;
  u32 error_code = 0;
  Gpa physical{};         // of the byte asked for
  u64 page_bytes = 4096;  // 4 KiB, 2 MiB, 4 MiB or 1 GiB
  // Rights as the paging structures give them, all levels combined.
  bool user = true;
  bool writable = true;
  bool executable = true;
  bool global = false;
  bool dirty = true;  // the last entry has D set now: a cached translation may be used for writes
  u8 protection_key = 0;
};

// Whether paging is on and in which form.
enum class Mode : u8 { none, bits32, pae, level4, level5 };
Mode mode_of(const State& state);

// The walk. Raises nothing and changes nothing but A/D bits in guest memory.
Result walk(const State& state, const Limits& limits, Bus& bus, const Request& request, Effects effects);

// Whether the rights of `translation` allow `access` in the present state; error-code bits of the refusal, 0 if
// allowed. For a TLB that wants to precompute: call it per kind of access.
u32 refuse(const State& state, const Result& translation, Access access, bool user, bool smap_override);

// Reads the four PDPTEs that CR3 points to; false if one is present with reserved bits set (#GP on MOV CR3, Intel
// only).
bool read_pdptes(const Limits& limits, Bus& bus, u64 cr3, std::array<u64, 4>& entries);

// Whether `linear` is canonical for the paging mode (48 or 57 bits).
inline bool is_canonical(u64 linear, bool la57) {
  const int shift = la57 ? 7 : 16;
  return static_cast<u64>(static_cast<s64>(linear << shift) >> shift) == linear;
}

}  // namespace mock::cpu::page_walk
