#include "mock/vm/msr_filter.hpp"

#include <cerrno>

#include "kvmapi/uapi/constants.hpp"
#include "mock/vm/user_memory.hpp"

namespace mock::vm {

// The order of kvm_vm_ioctl_set_msr_filter() and kvm_add_msr_filter().
Result<MsrFilter> MsrFilter::from_user(const kvm_msr_filter& in) {
  if (in.flags & ~kMsrFilterValidMask) return err(EINVAL);
  MsrFilter filter;
  filter.denies_by_default_ = in.flags & kMsrFilterDefaultDeny;
  bool is_empty = true;
  for (const kvm_msr_filter_range& range : in.ranges) is_empty &= range.nmsrs == 0;
  if (is_empty && filter.denies_by_default_) return err(EINVAL);
  for (const kvm_msr_filter_range& range : in.ranges) {
    if (!range.nmsrs) continue;
    if ((range.flags & ~kMsrFilterRangeValidMask) || !range.flags) return err(EINVAL);
    const u64 bytes = (u64{range.nmsrs} + 63) / 64 * 8;
    if (bytes > kMsrFilterMaxBitmapSize) return err(EINVAL);
    Range copy{.flags = range.flags, .base = range.base, .count = range.nmsrs, .bits = std::vector<u8>(bytes)};
    if (!copy_from_user(copy.bits.data(), range.bitmap, bytes)) return err(EFAULT);
    filter.ranges_.push_back(std::move(copy));
  }
  return filter;
}

bool MsrFilter::allows(u32 index, bool is_write) const {
  if (index >= 0x800 && index <= 0x8ff) return true;
  const u32 wanted = is_write ? kMsrFilterWrite : kMsrFilterRead;
  for (const Range& range : ranges_) {
    const u32 offset = index - range.base;
    if (offset < range.count && (range.flags & wanted)) return range.bits[offset / 8] >> (offset % 8) & 1;
  }
  return !denies_by_default_;
}

}  // namespace mock::vm
