// Machine checks: KVM_X86_SETUP_MCE, KVM_X86_SET_MCE (api.rst 4.103, 4.104) and the rules of their MSRs
// (set_msr_mce(), get_msr_mce() in arch/x86/kvm/x86.c).
#include <cerrno>

#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

namespace {

enum Msr : u32 { kMcgCap = 0x179, kMcgStatus = 0x17a, kMcgCtl = 0x17b, kMc0Ctl2 = 0x280, kMc0Ctl = 0x400 };
enum BankRegister : u32 { kCtl, kStatus, kAddr, kMisc };
constexpr u64 kMcgCtlPresent = 1u << 8, kCmciPresent = 1u << 10;
constexpr u32 kHwcr = 0xc0010015;
constexpr u64 kStatusWriteEnable = 1u << 18;

}  // namespace

bool Vcpu::is_mce_msr(u32 index) const {
  if (index >= kMc0Ctl2 && index < kMc0Ctl2 + kMaxMceBanks) return vm_.profile().since(6, 1);  // with CMCI
  return (index >= kMcgCap && index <= kMcgCtl) || (index >= kMc0Ctl && index < kMc0Ctl + 4 * kMaxMceBanks);
}

u64 Vcpu::mcg_cap() const {
  const auto set = msrs_.find(kMcgCap);
  return set == msrs_.end() ? u64{kMaxMceBanks} : set->second;
}

bool Vcpu::get_mce_msr(u32 index, u64& value, bool from_host) {
  const u32 banks = mcg_cap() & 0xff;
  if (index == kMcgCap) {
    value = mcg_cap();
    return true;
  }
  if (index == kMcgCtl && !(mcg_cap() & kMcgCtlPresent) && !from_host) return false;
  if (index >= kMc0Ctl + 4 * banks) return false;
  if (index >= kMc0Ctl2 && index < kMc0Ctl) {
    if (index >= kMc0Ctl2 + banks) return false;
    if (!(mcg_cap() & kCmciPresent) && !from_host) return false;
  }
  const auto found = msrs_.find(index);
  value = found == msrs_.end() ? 0 : found->second;
  return true;
}

bool Vcpu::set_mce_msr(u32 index, u64 value, bool from_host) {
  const u32 banks = mcg_cap() & 0xff;
  if (index == kMcgCap) return false;
  if (index == kMcgCtl) {
    if (!(mcg_cap() & kMcgCtlPresent) && (value || !from_host)) return false;
    if (value != 0 && value != ~u64{0}) return false;
  } else if (index >= kMc0Ctl) {
    if (index >= kMc0Ctl + 4 * banks) return false;
    const u32 which = (index - kMc0Ctl) % 4;
    // All ones, but for two bits that some guests clear (bank 4 of K8, UnixWare).
    if (which == kCtl && value != 0 && (value | 1u << 10 | 1) != ~u64{0}) return false;
    const bool may_write_status = msrs_.contains(kHwcr) && (msrs_[kHwcr] & kStatusWriteEnable);
    if (which == kStatus && value != 0 && !from_host && !may_write_status) return false;
  } else if (index >= kMc0Ctl2) {
    constexpr u64 kDefined = u64{1} << 30 | 0x7fff;
    if (index >= kMc0Ctl2 + banks) return false;
    if (!(mcg_cap() & kCmciPresent) && (value || !from_host)) return false;
    if (value & ~kDefined) return false;
  }
  msrs_[index] = value;
  return true;
}

Result<int> Vcpu::x86_setup_mce(const u64& capabilities) {
  const u32 banks = capabilities & 0xff;
  if (!banks || banks > kMaxMceBanks) return err(EINVAL);
  if (capabilities & ~(kMceCapabilities | 0xff | 0xff0000)) return err(EINVAL);
  msrs_[kMcgCap] = capabilities;
  if (capabilities & kMcgCtlPresent) msrs_[kMcgCtl] = ~u64{0};
  for (u32 bank = 0; bank < banks; ++bank) msrs_[kMc0Ctl + 4 * bank] = ~u64{0};
  return 0;
}

// kvm_vcpu_ioctl_x86_set_mce().
Result<int> Vcpu::x86_set_mce(const kvm_x86_mce& mce) {
  constexpr u64 kValid = u64{1} << 63, kUncorrected = u64{1} << 61, kMcip = 4;
  const u64 capabilities = mcg_cap(), status = msrs_[kMcgStatus], control = msrs_[kMcgCtl];
  const u32 banks = capabilities & 0xff;
  if (mce.bank >= banks || !(mce.status & kValid)) return err(EINVAL);
  const u32 bank = kMc0Ctl + 4u * mce.bank;
  if ((mce.status & kUncorrected) && (capabilities & kMcgCtlPresent) && control != ~u64{0}) return 0;
  if ((mce.status & kUncorrected) && msrs_[bank] != ~u64{0}) return 0;
  if (mce.status & kUncorrected) {
    if ((status & kMcip) || !(state().cr4 & cpu::CR4_MCE)) {
      events_.triple_fault = true;
      return 0;
    }
    msrs_[bank + kAddr] = mce.addr;
    msrs_[bank + kMisc] = mce.misc;
    msrs_[kMcgStatus] = mce.mcg_status;
    msrs_[bank + kStatus] = mce.status;
    queue_exception(cpu::MC);
    return 0;
  }
  if (!(msrs_[bank + kStatus] & kValid) || !(msrs_[bank + kStatus] & kUncorrected)) {
    msrs_[bank + kAddr] = mce.addr;
    msrs_[bank + kMisc] = mce.misc;
    msrs_[bank + kStatus] = mce.status;
  }
  return 0;
}

}  // namespace mock::vm
