// Why KVM cannot be used on this machine, and what helps. The judgement is a pure function of what was looked at.
#pragma once

#include <string>

namespace conformance {

// What was seen on the host. Errnos: 0 = succeeded, kNotTried = an earlier step failed.
struct HostSigns {
  static constexpr int kNotTried = -1;

  std::string device = "/dev/kvm";
  int open_errno = 0;
  int api_version = 12;
  int create_vm_errno = kNotTried;
  int create_vcpu_errno = kNotTried;
  std::string no_answer;  // the process that asked did not come back: why

  bool has_vmx = false, has_svm = false;  // flags of /proc/cpuinfo
  bool is_guest = false;                  // flag "hypervisor"
  bool has_kvm_module = false;            // /sys/module/kvm
  bool has_vendor_module = false;         // /sys/module/kvm_intel or kvm_amd
  bool is_container = false;
  std::string owner;  // "root:kvm, mode 0660" of the device
};

struct Diagnosis {
  bool is_usable = false;
  std::string reason;  // one line
  std::string remedy;  // what to do, may have several lines; empty if nothing helps
};

Diagnosis diagnose(const HostSigns& signs);

// Fills what can be read from /proc, /sys and the device's inode. Opens nothing.
HostSigns look_around(const std::string& device);

}  // namespace conformance
