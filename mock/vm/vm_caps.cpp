// KVM_ENABLE_CAP on a VM. api.rst 4.37 and chapters 7, 8; the checks of each capability in the kernel's order.
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "mock/vm/vm.hpp"

namespace mock::vm {
namespace {

constexpr u64 kMaxDirtyRingBytes = 1024 * 1024;

}  // namespace

Result<int> Vm::enable_dirty_ring(u64 bytes) {
  if (!profile().capability(static_cast<u32>(Cap::DirtyLogRing))) return err(EINVAL);
  if (!bytes || !std::has_single_bit(bytes) || bytes < 4096) return err(EINVAL);
  if (bytes > kMaxDirtyRingBytes) return err(E2BIG);
  std::lock_guard lock(lock_);
  if (config_.dirty_ring_bytes || created_vcpus_) return err(EINVAL);
  config_.dirty_ring_bytes = static_cast<u32>(bytes);
  return 0;
}

Result<int> Vm::enable_max_vcpu_id(u64 limit) {
  if (!profile().since(6, 1) || limit > profile().max_vcpu_ids()) return err(EINVAL);
  std::lock_guard lock(lock_);
  if (profile().since(6, 12) && config_.boot_cpu_id > limit) return err(EINVAL);
  if (config_.max_vcpu_ids == limit) return 0;
  if (config_.max_vcpu_ids) return err(EINVAL);
  config_.max_vcpu_ids = static_cast<u32>(limit);
  return 0;
}

Result<int> Vm::enable_cap(const kvm_enable_cap& cap) {
  const u64 arg = cap.args[0];
  const auto has = [&](Cap which) { return profile().capability(static_cast<u32>(which)) != 0; };
  const auto flag = [&](std::atomic<bool>& field) -> Result<int> {
    field = arg != 0;
    return 0;
  };
  const Cap which = static_cast<Cap>(cap.cap);
  // The generic part, which looks at flags itself.
  switch (which) {
    case Cap::ManualDirtyLogProtect2: {
      const u64 allowed = arg & kDirtyLogManualProtectEnable ? kDirtyLogManualProtectEnable | kDirtyLogInitiallySet
                                                             : kDirtyLogManualProtectEnable;
      if (cap.flags || (arg & ~allowed)) return err(EINVAL);
      config_.manual_dirty_log = arg;
      return 0;
    }
    case Cap::HaltPoll:
      return cap.flags || arg > 0xffffffff ? Result<int>(err(EINVAL)) : Result<int>(0);
    case Cap::DirtyLogRing:
    case Cap::DirtyLogRingAcqRel:
      return enable_dirty_ring(arg);
    default:
      break;
  }
  if (cap.flags) return err(EINVAL);
  switch (which) {
    case Cap::DisableQuirks2:
      if (!has(which) || (arg & ~static_cast<u64>(profile().capability(cap.cap)))) return err(EINVAL);
      [[fallthrough]];
    case Cap::DisableQuirks: {
      const u64 known = static_cast<u64>(profile().capability(static_cast<u32>(Cap::DisableQuirks2)));
      // Accumulates since 6.12; before, each call replaced what the one before had said.
      if (profile().since(6, 12))
        config_.disabled_quirks |= arg & known;
      else
        config_.disabled_quirks = arg;
      return 0;
    }
    case Cap::SplitIrqchip:
      return enable_split_irqchip(arg);
    case Cap::X2apicApi: {
      const u64 known = profile().since(7, 0) ? 0xf : 3;
      const u64 suppress = kX2apicEnableSuppressEoiBroadcast | kX2apicDisableSuppressEoiBroadcast;
      if (arg & ~known) return err(EINVAL);
      if ((arg & suppress) == suppress) return err(EINVAL);
      if ((arg & kX2apicEnableSuppressEoiBroadcast) && irqchip_mode() != IrqchipMode::split) return err(EINVAL);
      if (arg & kX2apicApiUse32bitIds) config_.x2apic_32bit_ids = true;
      if (arg & kX2apicApiDisableBroadcastQuirk) config_.x2apic_broadcast_quirk_disabled = true;
      return 0;
    }
    case Cap::X86DisableExits: {
      if (arg & ~static_cast<u64>(profile().capability(cap.cap))) return err(EINVAL);
      std::lock_guard lock(lock_);
      if (profile().since(7, 0) && created_vcpus_) return err(EINVAL);
      config_.disabled_exits |= arg;
      return 0;
    }
    case Cap::MsrPlatformInfo:
      return flag(config_.platform_info);
    case Cap::ExceptionPayload:
      return flag(config_.exception_payload);
    case Cap::X86TripleFaultEvent:
      return has(which) ? flag(config_.triple_fault_event) : err(EINVAL);
    case Cap::X86UserSpaceMsr:
      if (arg & ~u64{kMsrExitReasonValidMask}) return err(EINVAL);
      config_.user_space_msr_mask = arg;
      return 0;
    case Cap::X86BusLockExit: {
      const u64 both = kBusLockDetectionOff | kBusLockDetectionExit;
      return !profile().since(6, 1) || (arg & ~both) || arg == both ? Result<int>(err(EINVAL)) : Result<int>(0);
    }
    case Cap::ExitHypercall:
      if (!has(which) || (arg & ~static_cast<u64>(profile().capability(cap.cap)))) return err(EINVAL);
      config_.hypercall_exits = arg;
      return 0;
    case Cap::ExitOnEmulationFailure:
      return !has(which) || (arg & ~u64{1}) ? err(EINVAL) : flag(config_.exit_on_emulation_failure);
    case Cap::MaxVcpuId:
      return enable_max_vcpu_id(arg);
    case Cap::VmDisableNxHugePages: {
      if (!has(which)) return err(EINVAL);
      if (geteuid() != 0) return err(EPERM);
      if (arg) return err(EINVAL);
      std::lock_guard lock(lock_);
      return created_vcpus_ ? Result<int>(err(EINVAL)) : Result<int>(0);
    }
    case Cap::X86ApicBusCyclesNs: {
      u64 product;
      if (!has(which) || !arg || __builtin_mul_overflow(u64{0xffffffff} * 128, arg, &product)) return err(EINVAL);
      std::lock_guard lock(lock_);
      if (!has_irqchip()) return err(ENXIO);
      if (created_vcpus_) return err(EINVAL);
      config_.apic_bus_cycle_ns = arg;
      return 0;
    }
    default:
      return err(EINVAL);
  }
}

}  // namespace mock::vm
