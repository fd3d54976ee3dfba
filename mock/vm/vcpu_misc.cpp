// Registers by id (api.rst 4.68, 4.69, 4.84), nested state (4.114, 4.115), attributes (4.80) and prefaulting (4.143) of
// a vcpu.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "mock/vm/irqchip.hpp"
#include "mock/vm/stats.hpp"
#include "mock/vm/vcpu.hpp"

namespace mock::vm {

namespace {

constexpr u64 kMsrRegister = kRegX86 | kRegSizeU64 | (u64{kX86RegTypeMsr} << 32);

constexpr u32 kTscGroup = 0, kTscOffset = 0;  // KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET

}  // namespace

Result<int> Vcpu::get_one_reg(const kvm_one_reg& reg) {
  if ((reg.id & ~u64{0xffffffff}) != kMsrRegister) return err(EINVAL);
  u64 value;
  if (!get_msr(static_cast<u32>(reg.id), value, true)) return err(EINVAL);
  return put_user(reg.addr, value) ? Result<int>(0) : err(EFAULT);
}

Result<int> Vcpu::set_one_reg(const kvm_one_reg& reg) {
  if ((reg.id & ~u64{0xffffffff}) != kMsrRegister) return err(EINVAL);
  u64 value;
  if (!get_user(value, reg.addr)) return err(EFAULT);
  return set_msr(static_cast<u32>(reg.id), value, true) ? Result<int>(0) : err(EINVAL);
}

// Lists only what has no MSR number: the shadow stack pointer, which this CPU does not have.
Result<int> Vcpu::get_reg_list(kvm_reg_list& list) {
  list.n = 0;
  return 0;
}

// Not in guest mode: the header alone, with GIF set (svm_get_nested_state()).
Result<int> Vcpu::get_nested_state(UserPointer pointer) {
  u32 room;
  if (!get_user(room, pointer.address + offsetof(kvm_nested_state, size))) return err(EFAULT);
  kvm_nested_state state{};
  state.format = kStateNestedFormatSvm;
  state.flags = kStateNestedGifSet;
  state.size = sizeof state;
  if (room < state.size)
    return put_user(pointer.address + offsetof(kvm_nested_state, size), state.size) ? Result<int>(err(E2BIG))
                                                                                    : err(EFAULT);
  return put_user(pointer.address, state) ? Result<int>(0) : err(EFAULT);
}

Result<int> Vcpu::set_nested_state(const kvm_nested_state& in) {
  if (in.size < sizeof in) return err(EINVAL);
  constexpr u16 kKnown =
      kStateNestedRunPending | kStateNestedGuestMode | kStateNestedEvmcs | kStateNestedMtfPending | kStateNestedGifSet;
  if (in.flags & ~kKnown) return err(EINVAL);
  if ((in.flags & kStateNestedRunPending) && !(in.flags & kStateNestedGuestMode)) return err(EINVAL);
  if (in.format != kStateNestedFormatSvm) return err(EINVAL);
  if (in.flags & ~(kStateNestedGuestMode | kStateNestedRunPending | kStateNestedGifSet)) return err(EINVAL);
  // The guest's CPU has no SVM to be in guest mode of.
  return in.flags & kStateNestedGuestMode ? Result<int>(err(EINVAL)) : Result<int>(0);
}

Result<int> Vcpu::has_device_attr(const kvm_device_attr& attribute) {
  return attribute.group == kTscGroup && attribute.attr == kTscOffset ? Result<int>(0) : err(ENXIO);
}

Result<int> Vcpu::get_device_attr(const kvm_device_attr& attribute) {
  if (Result<int> has = has_device_attr(attribute); !has) return has;
  return put_user(attribute.addr, state().tsc_offset) ? Result<int>(0) : err(EFAULT);
}

Result<int> Vcpu::set_device_attr(const kvm_device_attr& attribute) {
  if (Result<int> has = has_device_attr(attribute); !has) return has;
  u64 offset;
  if (!get_user(offset, attribute.addr)) return err(EFAULT);
  state().tsc_offset = offset;
  return 0;
}

// Without SEV and TDX: an unknown number, which 7.x answers apart.
Result<int> Vcpu::memory_encrypt_op() { return err(vm_.profile().since(7, 0) ? ENOTTY : EINVAL); }

Result<int> Vcpu::get_stats_fd() {
  return make_stats_fd(vm_.profile().vcpu_stats, fmt::format("kvm-{}/vcpu-{}", getpid(), id_));
}

// Touches the host pages behind the range; what is done is taken off the request.
Result<int> Vcpu::pre_fault_memory(UserPointer pointer) {
  kvm_pre_fault_memory range;
  if (!get_user(range, pointer.address)) return err(EFAULT);
  const Result<int> result = pre_fault(range);
  return put_user(pointer.address, range) ? result : err(EFAULT);
}

Result<int> Vcpu::pre_fault(kvm_pre_fault_memory& range) {
  if (range.flags) return err(EINVAL);
  if (range.gpa % kPageSize || range.size % kPageSize || range.gpa + range.size <= range.gpa) return err(EINVAL);
  const u64 whole = range.size;
  while (range.size) {
    const cpu::Page found = page(Gpa{range.gpa}, cpu::Access::read);
    if (found.kind != cpu::Page::Kind::ram) {
      if (range.size != whole) return 0;
      return err(found.kind == cpu::Page::Kind::absent ? EFAULT : ENOENT);
    }
    range.gpa += kPageSize;
    range.size -= kPageSize;
  }
  return 0;
}

}  // namespace mock::vm
