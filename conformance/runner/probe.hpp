// First contact with a target, before any test: can it be used, whose CPU is it, which capabilities has it. Asked in a
// child process.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "conformance/runner/diagnosis.hpp"
#include "conformance/runner/implementation.hpp"
#include "kvmapi/cap.hpp"

namespace conformance {

struct FirstContact {
  Diagnosis diagnosis;
  std::string backend_name;  // "/dev/kvm", "mock (6.12)"
  Vendor vendor = Vendor::other;
  std::set<unsigned> capabilities;  // numbers that KVM_CHECK_EXTENSION does not answer with 0, on /dev/kvm or a VM
};

FirstContact make_contact(const Implementation& implementation);

// "GenuineIntel" is intel, "AuthenticAMD" and "HygonGenuine" are amd.
Vendor vendor_from_cpuid(std::string_view vendor_string);

}  // namespace conformance
