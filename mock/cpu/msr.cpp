// RDMSR, WRMSR and the core's MSR table; see msr.hpp. SDM vol. 4, APM vol. 2 appendix A. Where hardware and KVM differ
// on a write (canonical fix-up of SYSENTER addresses, upper half of TSC_AUX) this is KVM's rule (__kvm_set_msr,
// svm_set_msr).
#include "mock/cpu/msr.hpp"

#include "mock/cpu/control.hpp"
#include "mock/cpu/page_walk.hpp"
#include "mock/cpu/system_ops.hpp"

namespace mock::cpu {
namespace {

enum class Check : u8 {
  none,
  canonical,      // else #GP
  sign_extended,  // made canonical
  low_half,       // upper half dropped on AMD, #GP on Intel
  memory_types,   // PAT: eight valid types
};

u64& fs_base(State& s) { return s.seg[FS].base; }
u64& gs_base(State& s) { return s.seg[GS].base; }

template <u64 State::*member>
u64& field(State& s) {
  return s.*member;
}

struct MsrRow {
  u32 index;
  const char* name;
  u64& (*value)(State&);
  Check check;
};

constexpr MsrRow kRows[] = {
    {0x174, "IA32_SYSENTER_CS", &field<&State::sysenter_cs>, Check::none},
    {0x175, "IA32_SYSENTER_ESP", &field<&State::sysenter_esp>, Check::sign_extended},
    {0x176, "IA32_SYSENTER_EIP", &field<&State::sysenter_eip>, Check::sign_extended},
    {0x277, "IA32_PAT", &field<&State::pat>, Check::memory_types},
    {0xc0000081, "STAR", &field<&State::star>, Check::none},
    {0xc0000082, "LSTAR", &field<&State::lstar>, Check::canonical},
    {0xc0000083, "CSTAR", &field<&State::cstar>, Check::canonical},
    {0xc0000084, "SYSCALL_MASK", &field<&State::fmask>, Check::none},
    {0xc0000100, "FS_BASE", &fs_base, Check::canonical},
    {0xc0000101, "GS_BASE", &gs_base, Check::canonical},
    {0xc0000102, "KERNEL_GS_BASE", &field<&State::kernel_gs_base>, Check::canonical},
    {0xc0000103, "TSC_AUX", &field<&State::tsc_aux>, Check::low_half},
};

constexpr u32 kTsc = 0x10, kEfer = 0xc0000080;

const MsrRow* find(u32 index) {
  for (const MsrRow& row : kRows) {
    if (row.index == index) return &row;
  }
  return nullptr;
}

bool is_memory_types(u64 value) {
  for (int i = 0; i < 8; ++i, value >>= 8) {
    const u8 type = value & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

bool check_value(const Core& core, Check check, u64& value) {
  const bool la57 = core.s.cr4 & CR4_LA57;
  switch (check) {
    case Check::none:
      return true;
    case Check::canonical:
      return page_walk::is_canonical(value, la57);
    case Check::sign_extended: {
      const int shift = la57 ? 7 : 16;
      value = static_cast<u64>(static_cast<s64>(value << shift) >> shift);
      return true;
    }
    case Check::low_half:
      if (!core.features.is_amd && value >> 32) return false;
      value = static_cast<u32>(value);
      return true;
    case Check::memory_types:
      return is_memory_types(value);
  }
  return false;
}

MsrAnswer write_efer(Core& core, u64 value, MsrBy by) {
  if (by == MsrBy::guest) return set_efer(core, value) ? MsrAnswer::done : MsrAnswer::fault;
  const bool lme_changes = (value ^ core.s.efer) & EFER_LME;
  if (lme_changes && (core.s.cr0 & CR0_PG)) return MsrAnswer::fault;
  const u64 lma = core.s.efer & EFER_LMA;
  core.s.efer = (value & ~u64{EFER_LMA}) | lma;
  core.flush_tlb(false);
  core.mode_changed();
  return MsrAnswer::done;
}

}  // namespace

MsrAnswer read_core_msr(const Core& core, u32 index, u64& value) {
  if (index == kTsc) {
    value = core.bus.read_tsc() + core.s.tsc_offset;
    return MsrAnswer::done;
  }
  if (index == kEfer) {
    value = core.s.efer;
    return MsrAnswer::done;
  }
  const MsrRow* row = find(index);
  if (!row) return MsrAnswer::elsewhere;
  value = row->value(const_cast<State&>(core.s));
  return MsrAnswer::done;
}

MsrAnswer write_core_msr(Core& core, u32 index, u64 value, MsrBy by) {
  if (index == kTsc) {
    core.s.tsc_offset = value - core.bus.read_tsc();
    return MsrAnswer::done;
  }
  if (index == kEfer) return write_efer(core, value, by);
  const MsrRow* row = find(index);
  if (!row) return MsrAnswer::elsewhere;
  if (!check_value(core, row->check, value)) return MsrAnswer::fault;
  row->value(core.s) = value;
  core.mode_changed();
  return MsrAnswer::done;
}

bool rdmsr(Core& core, const Op&) {
  if (core.s.cpl) return core.raise(GP, 0);
  const u32 index = static_cast<u32>(core.s.gpr[RCX]);
  u64 value = 0;
  const Reply allowed = core.bus.allow_msr(index, false);
  if (allowed == Reply::exit) return core.stop_msr_read(index);
  MsrAnswer answer = allowed == Reply::fault ? MsrAnswer::fault : read_core_msr(core, index, value);
  if (answer == MsrAnswer::fault && allowed == Reply::done && core.bus.refused_msr(index, false) == Reply::exit)
    return core.stop_msr_read(index);
  if (answer == MsrAnswer::elsewhere) {
    switch (core.bus.read_msr(index, value)) {
      case Reply::exit:
        return core.stop_msr_read(index);
      case Reply::fault:
        answer = MsrAnswer::fault;
        break;
      case Reply::done:
        answer = MsrAnswer::done;
        break;
    }
  }
  if (answer == MsrAnswer::fault) return core.raise(GP, 0);
  core.s.gpr[RAX] = static_cast<u32>(value);
  core.s.gpr[RDX] = value >> 32;
  return true;
}

bool wrmsr(Core& core, const Op&) {
  if (core.s.cpl) return core.raise(GP, 0);
  const u32 index = static_cast<u32>(core.s.gpr[RCX]);
  const u64 value = static_cast<u32>(core.s.gpr[RAX]) | core.s.gpr[RDX] << 32;
  switch (core.bus.allow_msr(index, true)) {
    case Reply::exit:
      return core.stop_msr_write(index, value);
    case Reply::fault:
      return core.raise(GP, 0);
    case Reply::done:
      break;
  }
  switch (write_core_msr(core, index, value, MsrBy::guest)) {
    case MsrAnswer::done:
      return true;
    case MsrAnswer::fault:
      if (core.bus.refused_msr(index, true) == Reply::exit) return core.stop_msr_write(index, value);
      return core.raise(GP, 0);
    case MsrAnswer::elsewhere:
      break;
  }
  switch (core.bus.write_msr(index, value)) {
    case Reply::exit:
      return core.stop_msr_write(index, value);
    case Reply::fault:
      return core.raise(GP, 0);
    case Reply::done:
      break;
  }
  return true;
}

}  // namespace mock::cpu
