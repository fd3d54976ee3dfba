// The judgement, and the looking. See diagnosis.hpp.
#include "conformance/runner/diagnosis.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "kvmapi/errno.hpp"

namespace conformance {
namespace {

Diagnosis no(std::string reason, std::string remedy) { return {false, std::move(reason), std::move(remedy)}; }

Diagnosis diagnose_absent(const HostSigns& s) {
  if (s.device != "/dev/kvm") return no(fmt::format("{} does not exist", s.device), "");
  const char* module = s.has_svm ? "kvm_amd" : "kvm_intel";
  if (s.is_container && (s.has_kvm_module || s.has_vendor_module)) {
    return no(fmt::format("{} is not in this container, though the host has KVM", s.device),
              fmt::format(
                  "Give it to the container: --device={} (Docker, Podman), or the resource devices.kubevirt.io/kvm: 1 "
                  "(Kubernetes).",
                  s.device));
  }
  if (s.has_vmx || s.has_svm) {
    if (s.has_vendor_module) {
      return no(fmt::format("{} is missing, though the module {} is loaded", s.device, module),
                fmt::format("Make the node: mknod {} c 10 232, or let udev do it: udevadm trigger --name-match=kvm",
                            s.device));
    }
    return no(fmt::format("{} is missing: the module {} is not loaded", s.device, module),
              fmt::format("modprobe {}   (if that fails, dmesg says why: often virtualisation is off in the firmware)",
                          module));
  }
  if (s.is_guest) {
    return no(fmt::format("{} is missing: this is a virtual machine without nested virtualisation", s.device),
              "Switch on nested virtualisation for this machine on its host, or use --target mock or ci/lab.");
  }
  return no(fmt::format("{} is missing: the CPU shows neither VMX nor SVM", s.device),
            "Switch on virtualisation (VT-x, SVM) in the firmware if the CPU has it, or use --target mock or ci/lab.");
}

Diagnosis diagnose_open(const HostSigns& s) {
  switch (s.open_errno) {
    case ENOENT:
      return diagnose_absent(s);
    case EACCES:
    case EPERM:
      return no(fmt::format("no permission to open {}{}", s.device, s.owner.empty() ? "" : " (" + s.owner + ")"),
                s.is_container
                    ? fmt::format("Run as a user who may, and let the container have it: --device={}", s.device)
                    : fmt::format(
                          "Run as root, join its group (usermod -aG kvm $USER, then log in again), or open it to all:\n"
                          "echo 'KERNEL==\"kvm\", GROUP=\"kvm\", MODE=\"0666\", OPTIONS+=\"static_node=kvm\"' > "
                          "/etc/udev/rules.d/99-kvm4all.rules\n"
                          "udevadm control --reload-rules && udevadm trigger --name-match=kvm"));
    case ENODEV:
    case ENXIO:
      return no(fmt::format("{} exists, but no driver is behind it", s.device),
                fmt::format("modprobe {}", s.has_svm ? "kvm_amd" : "kvm_intel"));
    case EBUSY:
      return no(fmt::format("{} is in use by one program alone", s.device), "End that program.");
    default:
      return no(fmt::format("opening {} fails: {}", s.device, kvmapi::Errno{s.open_errno}.name()), "");
  }
}

Diagnosis diagnose_create_vm(const HostSigns& s) {
  const auto error = kvmapi::Errno{s.create_vm_errno};
  switch (s.create_vm_errno) {
    case EBUSY:
      return no(
          "KVM_CREATE_VM fails with EBUSY: another hypervisor holds VMX or SVM",
          "End virtual machines of VirtualBox, VMware or similar and unload their modules (modprobe -r vboxdrv).");
    case ENODEV:
    case EOPNOTSUPP:
    case EIO:
      return no(fmt::format("KVM_CREATE_VM fails with {}: virtualisation cannot be switched on", error.name()),
                "Switch on virtualisation in the firmware; dmesg may say more.");
    case ENOMEM:
      return no("KVM_CREATE_VM fails with ENOMEM", "Free memory, or raise the memory limit of this container.");
    default:
      return no(fmt::format("KVM_CREATE_VM fails with {}", error.name()), "");
  }
}

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

std::string owner_of(const struct stat& status) {
  const passwd* user = ::getpwuid(status.st_uid);
  const group* group = ::getgrgid(status.st_gid);
  return fmt::format("{}:{}, mode {:04o}", user != nullptr ? user->pw_name : std::to_string(status.st_uid),
                     group != nullptr ? group->gr_name : std::to_string(status.st_gid), status.st_mode & 07777);
}

bool has_word(const std::string& line, const std::string& word) {
  std::istringstream words(line);
  for (std::string candidate; words >> candidate;) {
    if (candidate == word) return true;
  }
  return false;
}

}  // namespace

Diagnosis diagnose(const HostSigns& s) {
  if (!s.no_answer.empty())
    return no(fmt::format("asking {} failed: {}", s.device, s.no_answer), "dmesg may say more.");
  if (s.open_errno != 0) return diagnose_open(s);
  if (s.api_version != 12) {
    return no(fmt::format("{} is no KVM: KVM_GET_API_VERSION answers {} instead of 12", s.device, s.api_version), "");
  }
  if (s.create_vm_errno > 0) return diagnose_create_vm(s);
  if (s.create_vcpu_errno > 0) {
    return no(fmt::format("KVM_CREATE_VCPU fails with {}", kvmapi::Errno{s.create_vcpu_errno}.name()),
              "dmesg may say more.");
  }
  return {true, fmt::format("{} works", s.device), ""};
}

HostSigns look_around(const std::string& device) {
  HostSigns signs{.device = device};
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    signs.has_vmx = has_word(line, "vmx");
    signs.has_svm = has_word(line, "svm");
    signs.is_guest = has_word(line, "hypervisor");
    break;
  }
  signs.has_kvm_module = exists("/sys/module/kvm");
  signs.has_vendor_module = exists("/sys/module/kvm_intel") || exists("/sys/module/kvm_amd");
  signs.is_container = exists("/.dockerenv") || exists("/run/.containerenv") || ::getenv("container") != nullptr ||
                       ::getenv("KUBERNETES_SERVICE_HOST") != nullptr;
  struct stat status {};
  if (::stat(device.c_str(), &status) == 0) signs.owner = owner_of(status);
  return signs;
}

}  // namespace conformance
