// What the mock's CPU can do, as KVM_GET_SUPPORTED_CPUID offers it, and the MSRs it keeps. The same for every profile.
#pragma once

#include <vector>

#include "mock/profile/profile.hpp"

namespace mock {

std::vector<kvm_cpuid_entry2> default_supported_cpuid();
std::vector<kvm_cpuid_entry2> default_emulated_cpuid();
std::vector<u32> default_msrs_to_save();

}  // namespace mock
