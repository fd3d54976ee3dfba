// KVM_X86_SET_MSR_FILTER, api.rst 4.97: which MSRs the guest may read and write without asking user space.
#pragma once

#include <array>
#include <vector>

#include "kvmapi/result.hpp"
#include "kvmapi/uapi/msr.hpp"

namespace mock::vm {

using namespace kvmapi;

class MsrFilter {
 public:
  // Copies the bitmaps. EINVAL, EFAULT.
  static Result<MsrFilter> from_user(const kvm_msr_filter& filter);

  // x2APIC registers are never filtered.
  bool allows(u32 index, bool is_write) const;

 private:
  struct Range {
    u32 flags, base, count;
    std::vector<u8> bits;  // set = allowed
  };
  bool denies_by_default_ = false;
  std::vector<Range> ranges_;
};

}  // namespace mock::vm
