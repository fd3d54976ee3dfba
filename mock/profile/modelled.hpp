// What the mock models of what real kernels and processors offer: the one list that recorded facts are cut down with. A
// feature is offered only if mock/cpu executes it (or ignores it harmlessly).
#pragma once

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/cpuid.hpp"

namespace mock {

using namespace kvmapi;

// Whether KVM_CHECK_EXTENSION may announce it.
bool is_modelled_capability(u32 number);
// Whether KVM_GET_MSR_INDEX_LIST may list it.
bool is_modelled_msr(u32 index);
// Clears the feature bits that mock/cpu does not have. False: the whole leaf is not offered.
bool cut_to_modelled(kvm_cpuid_entry2& entry);

// Extended state components (XCR0) of mock/cpu: x87 and SSE.
inline constexpr u64 kModelledXcr0 = 3;

}  // namespace mock
