// Model specific registers: the ones the CPU keeps in its state, the ones kept here by number, and the list calls.
// api.rst 4.18, 4.19. Which numbers exist follows the profile's KVM_GET_MSR_INDEX_LIST.
#include <algorithm>
#include <cerrno>

#include "mock/cpu/msr.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

using namespace cpu;

namespace {

enum Msr : u32 {
  kTsc = 0x10,
  kPlatformId = 0x17,
  kApicBase = 0x1b,
  kSmiCount = 0x34,
  kBiosSign = 0x8b,
  kSmbase = 0x9e,
  kMtrrCap = 0xfe,
  kDebugCtl = 0x1d9,
  kMtrrDefType = 0x2ff,
  kTscDeadline = 0x6e0,
  kX2apicFirst = 0x800,
  kX2apicLast = 0x8ff,
  kEfer = 0xc0000080,
  kFsBase = 0xc0000100,
  kGsBase = 0xc0000101,
};

constexpr u64 kMtrrCapabilities = 0x508;  // eight variable ranges, fixed ranges, write combining

// EFER bits that this host knows at all.
bool is_known_efer(u64 value) {
  return !(value & ~u64{EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_SVME | EFER_LMSLE | EFER_FFXSR | EFER_TCE});
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
    case kDebugCtl:
    case kEfer:
    case kFsBase:
    case kGsBase:
    case 0xc0010010:
    case 0xc0010015:
    case 0xc001001f:
    case 0xc0010117:
      return true;
    default:
      return is_mtrr(index);
  }
}

}  // namespace

bool Vcpu::is_known_msr(u32 index) const {
  const auto& listed = vm_.profile().msrs_to_save;
  return std::find(listed.begin(), listed.end(), index) != listed.end() || is_unlisted(index) || is_mce_msr(index) ||
         vm_.profile().find_feature_msr(index);
}

bool Vcpu::get_msr(u32 index, u64& value, bool from_host) {
  if (lapic_ && index >= kX2apicFirst && index <= kX2apicLast)
    return lapic_->is_x2apic() && lapic_->read_msr(index, value);
  if (is_mce_msr(index)) return get_mce_msr(index, value, from_host);
  switch (read_core_msr(cpu_.core(), index, value)) {
    case MsrAnswer::done:
      return true;
    case MsrAnswer::fault:
      return false;
    case MsrAnswer::elsewhere:
      break;
  }
  switch (index) {
    case kTscDeadline:
      value = lapic_ ? lapic_->tsc_deadline() : 0;
      return true;
    case kApicBase:
      value = apic_base_;
      return true;
    case kSmbase:
      value = state().smbase;
      return from_host;
    case kSmiCount:
      value = smi_count_;
      return true;
    case kMtrrCap:
      value = kMtrrCapabilities;
      return true;
    default:
      break;
  }
  if (const auto found = msrs_.find(index); found != msrs_.end()) {
    value = found->second;
    return true;
  }
  if (const FeatureMsr* feature = vm_.profile().find_feature_msr(index)) value = feature->value;
  const auto fresh = vm_.profile().fresh_msrs.find(index);
  if (fresh != vm_.profile().fresh_msrs.end()) value = fresh->second;
  return is_known_msr(index);
}

bool Vcpu::set_msr(u32 index, u64 value, bool from_host) {
  if (lapic_ && index >= kX2apicFirst && index <= kX2apicLast)
    return lapic_->is_x2apic() && lapic_->write_msr(index, value);
  if (is_mce_msr(index)) return set_mce_msr(index, value, from_host);
  if (from_host && index == kEfer && !is_known_efer(value)) return false;
  switch (write_core_msr(cpu_.core(), index, value, from_host ? MsrBy::owner : MsrBy::guest)) {
    case MsrAnswer::done:
      return true;
    case MsrAnswer::fault:
      return false;
    case MsrAnswer::elsewhere:
      break;
  }
  switch (index) {
    case kTscDeadline:
      if (lapic_) lapic_->set_tsc_deadline(value);
      return true;
    case kApicBase:
      if (!is_valid_apic_base(value)) return false;
      set_apic_base(value);
      return true;
    case kSmbase:
      if (from_host) state().smbase = value;
      return from_host;
    case kSmiCount:
      if (from_host) smi_count_ = value;
      return from_host;
    case kMtrrCap:
      return false;
    default:
      break;
  }
  if (!is_known_msr(index)) return false;
  // Feature MSRs are frozen once the vcpu has run: only the value they have is taken.
  if (vm_.profile().find_feature_msr(index) && has_run_ && vm_.profile().since(6, 12)) {
    u64 current = 0;
    return get_msr(index, current, true) && current == value;
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
