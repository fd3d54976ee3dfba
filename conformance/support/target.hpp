// Target: which implementation of KVM is under test. Chosen by the program, never by a test.
#pragma once

#include <string>

#include "conformance/support/expect.hpp"
#include "conformance/support/version.hpp"

namespace kvmapi {
class Backend;
}

namespace conformance {

struct Target {
  kvmapi::Backend* backend = nullptr;
  std::string name;                 // as given on the command line: "mock", "kvm", a path
  std::string device = "/dev/kvm";  // what tests open
  Version kernel;                   // the kernel whose behaviour is expected
  std::string kernel_release;       // as uname -r spells it
  Vendor vendor = Vendor::other;    // of the CPU that the guest sees
};

}  // namespace conformance
