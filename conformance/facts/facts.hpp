// What a KVM says about itself: capabilities, CPUID, MSRs, and the state of a fresh vcpu. Results carry these facts, so
// that two runs can be compared, and recordings of real kernels (conformance/recorded/facts-*.json) are where the
// mock's profiles come from. Layout: README.md of this folder.
#pragma once

#include "conformance/facts/abi_json.hpp"
#include "kvmapi/backend.hpp"
#include "kvmapi/vm.hpp"

namespace conformance {

// Facts about the KVM behind `backend`. What it refuses is recorded as {"errno": "EINVAL"} in the place of the value.
// An object with only "error" if `device` can not be opened.
Json collect_facts(kvmapi::Backend& backend, const char* device = "/dev/kvm");

// The parts, each from descriptors that nothing was done to yet.
Json capability_facts(kvmapi::Backend& backend, const char* device);
Json cpuid_facts(kvmapi::Backend& backend, const char* device);
Json msr_facts(kvmapi::Backend& backend, const char* device);
Json vcpu_facts(kvmapi::Backend& backend, const char* device);
Json irqchip_facts(kvmapi::Backend& backend, const char* device);
Json stats_facts(kvmapi::Backend& backend, const char* device);

// {"errno": "EINVAL"}
Json refusal(kvmapi::Errno error);

// The value of a Result through `convert`, or its refusal.
template <class T, class Convert>
Json value_or_refusal(const kvmapi::Result<T>& result, Convert convert) {
  return result.ok() ? Json(convert(*result)) : refusal(result.error());
}

}  // namespace conformance
