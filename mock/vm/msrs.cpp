// Model specific registers: the ones the CPU keeps in its state, the ones kept here by number, and the list calls.
// api.rst 4.18, 4.19. Which numbers exist follows the profile's KVM_GET_MSR_INDEX_LIST.
#include <algorithm>
#include <cerrno>

#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

enum Msr : u32 {
  kTsc = 0x10,
  kPlatformId = 0x17,
  kApicBase = 0x1b,
  kTscAdjust = 0x3b,
  kBiosSign = 0x8b,
  kMtrrCap = 0xfe,
  kSysenterCs = 0x174,
  kSysenterEsp = 0x175,
  kSysenterEip = 0x176,
  kMcgCap = 0x179,
  kMcgStatus = 0x17a,
  kMcgCtl = 0x17b,
  kMiscEnable = 0x1a0,
  kPatMsr = 0x277,
  kMtrrDefType = 0x2ff,
  kMcBanks = 0x400,
  kTscDeadline = 0x6e0,
  kEfer = 0xc0000080,
  kStar = 0xc0000081,
  kLstar = 0xc0000082,
  kCstar = 0xc0000083,
  kFmask = 0xc0000084,
  kFsBase = 0xc0000100,
  kGsBase = 0xc0000101,
  kKernelGsBase = 0xc0000102,
  kTscAux = 0xc0000103,
};

bool is_canonical(u64 value) { return static_cast<u64>(static_cast<s64>(value << 16) >> 16) == value; }

bool is_valid_pat(u64 value) {
  for (int i = 0; i < 8; ++i, value >>= 8)
    if ((value & 0xff) > 7 || (value & 0xff) == 2 || (value & 0xff) == 3) return false;
  return true;
}

bool is_mtrr(u32 index) {
  return (index >= 0x200 && index < 0x210) || index == 0x250 || index == 0x258 || index == 0x259 ||
         (index >= 0x268 && index <= 0x26f) || index == kMtrrDefType;
}

// Accepted and kept although not in the list of MSRs to save (kvm_set_msr_common(), svm_set_msr()).
bool is_unlisted(u32 index) {
  switch (index) {
    case kTsc:
    case kPlatformId:
    case kApicBase:
    case kBiosSign:
    case kMtrrCap:
    case kMcgCap:
    case kMcgStatus:
    case kMcgCtl:
    case kEfer:
    case kFsBase:
    case kGsBase:
    case 0xc0010010:
    case 0xc0010015:
    case 0xc001001f:
    case 0xc0010117:
      return true;
    default:
      return is_mtrr(index) || (index >= kMcBanks && index < kMcBanks + 4 * kMaxMceBanks);
  }
}

}  // namespace

bool Vcpu::is_known_msr(u32 index) const {
  const auto& listed = vm_.profile().msrs_to_save;
  return std::find(listed.begin(), listed.end(), index) != listed.end() || is_unlisted(index);
}

bool Vcpu::get_msr(u32 index, u64& value, bool) {
  const State& s = state();
  if (lapic_ && index >= 0x800 && index < 0x900) return lapic_->is_x2apic() && lapic_->read_msr(index, value);
  switch (index) {
    case kTscDeadline:
      value = lapic_ ? lapic_->tsc_deadline() : 0;
      return true;
    case kTsc:
      value = read_tsc();
      return true;
    case kApicBase:
      value = apic_base_;
      return true;
    case kSysenterCs:
      value = s.sysenter_cs;
      return true;
    case kSysenterEsp:
      value = s.sysenter_esp;
      return true;
    case kSysenterEip:
      value = s.sysenter_eip;
      return true;
    case kPatMsr:
      value = s.pat;
      return true;
    case kEfer:
      value = s.efer;
      return true;
    case kStar:
      value = s.star;
      return true;
    case kLstar:
      value = s.lstar;
      return true;
    case kCstar:
      value = s.cstar;
      return true;
    case kFmask:
      value = s.fmask;
      return true;
    case kFsBase:
      value = s.seg[FS].base;
      return true;
    case kGsBase:
      value = s.seg[GS].base;
      return true;
    case kKernelGsBase:
      value = s.kernel_gs_base;
      return true;
    case kTscAux:
      value = s.tsc_aux;
      return true;
    case kMtrrCap:
      value = 0x508;
      return true;
    case kMcgCap:
      value = msrs_.contains(index) ? msrs_[index] : kMaxMceBanks;
      return true;
    default:
      break;
  }
  if (!is_known_msr(index)) {
    for (const FeatureMsr& msr : vm_.profile().feature_msrs)
      if (msr.index == index) {
        value = msrs_.contains(index) ? msrs_[index] : msr.value;
        return true;
      }
    return false;
  }
  if (const auto found = msrs_.find(index); found != msrs_.end()) {
    value = found->second;
  } else {
    const auto fresh = vm_.profile().fresh_msrs.find(index);
    value = fresh == vm_.profile().fresh_msrs.end() ? 0 : fresh->second;
  }
  return true;
}

bool Vcpu::set_msr(u32 index, u64 value, bool from_host) {
  State& s = state();
  if (lapic_ && index >= 0x800 && index < 0x900) return lapic_->is_x2apic() && lapic_->write_msr(index, value);
  switch (index) {
    case kTscDeadline:
      if (lapic_) lapic_->set_tsc_deadline(value);
      return true;
    case kTsc:
      s.tsc_offset += value - read_tsc();
      return true;
    case kApicBase:
      if (!is_valid_apic_base(value)) return false;
      set_apic_base(value);
      return true;
    case kSysenterCs:
      s.sysenter_cs = static_cast<u32>(value);
      return true;
    case kSysenterEsp:
      s.sysenter_esp = value;
      return true;
    case kSysenterEip:
      s.sysenter_eip = value;
      return true;
    case kPatMsr:
      if (!is_valid_pat(value)) return false;
      s.pat = value;
      return true;
    case kEfer: {
      const bool valid =
          !(value & ~u64{EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE});
      if (!valid || (!from_host && !is_valid_efer(value))) return false;
      if (!from_host && (s.cr0 & CR0_PG) && ((s.efer ^ value) & EFER_LME)) return false;
      s.efer = (value & ~u64{EFER_LMA}) | (s.efer & EFER_LMA);
      state_changed_ = translations_changed_ = true;
      return true;
    }
    case kStar:
      s.star = value;
      return true;
    case kLstar:
    case kCstar:
    case kKernelGsBase:
    case kFsBase:
    case kGsBase:
      if (!is_canonical(value)) return false;
      if (index == kLstar) s.lstar = value;
      if (index == kCstar) s.cstar = value;
      if (index == kKernelGsBase) s.kernel_gs_base = value;
      if (index == kFsBase) s.seg[FS].base = value;
      if (index == kGsBase) s.seg[GS].base = value;
      state_changed_ = true;
      return true;
    case kFmask:
      s.fmask = value;
      return true;
    case kTscAux:
      if (value >> 32) return false;
      s.tsc_aux = value;
      return true;
    case kMtrrCap:
    case kMcgCap:
      return false;
    case kMcgCtl:
      if (value != 0 && value != ~u64{0}) return false;
      break;
    default:
      break;
  }
  if (!is_known_msr(index)) {
    for (const FeatureMsr& msr : vm_.profile().feature_msrs)
      if (msr.index == index) {
        if (has_run_ && vm_.profile().since(6, 12) && value != (msrs_.contains(index) ? msrs_[index] : msr.value))
          return false;
        msrs_[index] = value;
        return true;
      }
    return false;
  }
  msrs_[index] = value;
  return true;
}

Result<int> Vcpu::get_msrs(UserPointer list) {
  kvm_msrs header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nmsrs >= kMaxMsrEntries) return err(E2BIG);
  std::array<kvm_msr_entry, kMaxMsrEntries> entries;
  const u64 bytes = header.nmsrs * sizeof(kvm_msr_entry), array = list.address + sizeof header;
  if (!copy_from_user(entries.data(), array, bytes)) return err(EFAULT);
  u32 done = 0;
  while (done < header.nmsrs && get_msr(entries[done].index, entries[done].data, true)) ++done;
  return copy_to_user(array, entries.data(), bytes) ? Result<int>(static_cast<int>(done)) : err(EFAULT);
}

Result<int> Vcpu::set_msrs(UserPointer list) {
  kvm_msrs header;
  if (!get_user(header, list.address)) return err(EFAULT);
  if (header.nmsrs >= kMaxMsrEntries) return err(E2BIG);
  std::array<kvm_msr_entry, kMaxMsrEntries> entries;
  if (!copy_from_user(entries.data(), list.address + sizeof header, header.nmsrs * sizeof(kvm_msr_entry)))
    return err(EFAULT);
  const bool goes_on = vm_.has_defect(Defect::set_msrs_continues_after_bad_index);
  u32 done = 0;
  for (; done < header.nmsrs; ++done)
    if (!set_msr(entries[done].index, entries[done].data, true) && !goes_on) break;
  return static_cast<int>(done);
}

}  // namespace mock::vm
