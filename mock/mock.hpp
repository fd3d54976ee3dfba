// An implementation of KVM in this process: open "/dev/kvm" on it and go on as on the kernel.
//
//   mock::MockResult mock = mock::make_mock({.profile = "6.12"});
//   if (!mock) fail(mock.error);
//   kvmapi::System system(*mock.backend);
//
// Descriptors it hands out are real ones (mmap, dup, fcntl, poll behave); they are closed through close() of the
// backend. Guest memory is the caller's. Thread-safe as the kernel is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kvmapi/backend.hpp"
#include "mock/faults/defects.hpp"
#include "mock/profile/profile.hpp"
#include "mock/vm/context.hpp"

namespace mock {

using SignalPolicy = vm::SignalPolicy;

struct MockOptions {
  std::string profile{kDefaultProfile};  // one of profile_names()
  std::string device = "/dev/kvm";       // the path that open() serves
  SignalPolicy signals = SignalPolicy::block;
  std::string random;            // what RDRAND reads: "host", a seed, "" = as $KVMMOCK_RANDOM says, else seed 0
  std::string log;               // where to report what is not modelled: "stderr", a file, "" = as $KVMMOCK_LOG says
  Defect defect = Defect::none;  // for the test that shows that the suite notices
};

struct MockResult {
  std::unique_ptr<kvmapi::Backend> backend;
  std::string error;  // what is wrong with the options, with the valid choices
  explicit operator bool() const { return backend != nullptr; }
};

MockResult make_mock(const MockOptions& options = {});

}  // namespace mock
