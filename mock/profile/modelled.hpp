// What the mock models of what real kernels and processors offer: recorded facts are cut down to it.
#pragma once

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/cpuid.hpp"
#include "mock/cpu/host.hpp"

namespace mock {

using namespace kvmapi;

// Whether KVM_CHECK_EXTENSION may announce it.
bool is_modelled_capability(u32 number);
// Whether KVM_GET_MSR_INDEX_LIST may list it.
bool is_modelled_msr(u32 index);
// Clears the feature bits that mock/cpu cannot execute on such a host (mock/cpu/cpuid_table.cpp). False: the whole leaf
// is not offered.
bool cut_to_modelled(kvm_cpuid_entry2& entry, const cpu::Host& host);

}  // namespace mock
