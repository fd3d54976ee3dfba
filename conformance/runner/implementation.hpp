// Implementation: how to make and name a target. Every worker makes a backend of its own; the rest is found out once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "conformance/support/target.hpp"
#include "kvmapi/backend.hpp"

namespace conformance {

struct Implementation {
  Target target;  // without a backend
  std::function<std::unique_ptr<kvmapi::Backend>()> make_backend;
  std::vector<std::string> expectation_names;  // linked-in files that apply, those that do not exist are left out
  std::string modules;                         // of the kernel: "kvm_amd"; empty if it has none or is none
  bool is_kernel = true;                       // a device of the running kernel, so the host's set-up can be diagnosed
  std::string rerun_arguments;                 // "--target mock --profile 6.1"
};

}  // namespace conformance
