// Needs: asking, and the words for what is missing. See needs.hpp.
#include "conformance/support/needs.hpp"

#include <fmt/format.h>

#include <cerrno>

#include "conformance/support/ctx.hpp"

namespace conformance {
namespace {

kvmapi::u32 register_of(const kvmapi::kvm_cpuid_entry2& entry, CpuidRegister reg) {
  switch (reg) {
    case CpuidRegister::eax:
      return entry.eax;
    case CpuidRegister::ebx:
      return entry.ebx;
    case CpuidRegister::ecx:
      return entry.ecx;
    case CpuidRegister::edx:
      return entry.edx;
  }
  return 0;
}

bool has_feature(const CpuFeature& feature, Ctx& t) {
  const kvmapi::Cpuid cpuid = t.must(t.system().get_supported_cpuid(), "KVM_GET_SUPPORTED_CPUID");
  for (const auto& entry : cpuid) {
    if (entry.function == feature.leaf && entry.index == feature.index) {
      return (register_of(entry, feature.reg) >> feature.bit & 1) != 0;
    }
  }
  return false;
}

// Whether KVM_CHECK_EXTENSION answers more than 0. An error is an answer of "no".
bool is_there(const kvmapi::Result<int>& answer) { return answer.ok() && answer.value() > 0; }

}  // namespace

std::optional<std::string> unmet(const Needs& needs, Ctx& t) {
  if (needs.kernel.is_set() && t.kernel() < needs.kernel) {
    return fmt::format("kernel {} is older than {}", t.kernel().text(), needs.kernel.text());
  }
  if (needs.kernel_before.is_set() && t.kernel() >= needs.kernel_before) {
    return fmt::format("kernel {} is not older than {}", t.kernel().text(), needs.kernel_before.text());
  }
  if (needs.vendor != Vendor::any && t.vendor() != needs.vendor) {
    return fmt::format("the CPU is not {}, but {}", name(needs.vendor), name(t.vendor()));
  }
  for (Cap cap : needs.cap) {
    if (!is_there(t.system().check_extension(cap))) return fmt::format("{} is 0 on /dev/kvm", c_name(cap));
  }
  if (needs.cpu.name != nullptr && !has_feature(needs.cpu, t)) {
    return fmt::format("no CPU feature {} in KVM_GET_SUPPORTED_CPUID", needs.cpu.name);
  }
  for (Cap cap : needs.vm_cap) {
    if (!is_there(t.vm().check_extension(cap))) return fmt::format("{} is 0 on the VM", c_name(cap));
  }
  if (needs.vm_ioctl) {
    const auto answer = t.new_vm().raw(*needs.vm_ioctl);
    if (answer.error().value() == ENOTTY)
      return fmt::format("{} is not in this kernel (ENOTTY)", c_name(*needs.vm_ioctl));
  }
  if (needs.probe.is_present != nullptr && !needs.probe.is_present(t)) {
    return fmt::format("missing: {}", needs.probe.what);
  }
  return std::nullopt;
}

std::string text(const Needs& needs) {
  std::string text;
  const auto add = [&text](const std::string& line) { text += (text.empty() ? "" : "\n") + line; };
  for (Cap cap : needs.cap) add(fmt::format("{} on /dev/kvm", c_name(cap)));
  for (Cap cap : needs.vm_cap) add(fmt::format("{} on a VM", c_name(cap)));
  if (needs.cpu.name != nullptr) add(fmt::format("CPU feature {}", needs.cpu.name));
  if (needs.kernel.is_set()) add(fmt::format("kernel {} or newer", needs.kernel.text()));
  if (needs.kernel_before.is_set()) add(fmt::format("a kernel before {}", needs.kernel_before.text()));
  if (needs.vendor != Vendor::any) add(fmt::format("a CPU of vendor {}", name(needs.vendor)));
  if (needs.vm_ioctl) add(fmt::format("a kernel with {}", c_name(*needs.vm_ioctl)));
  if (needs.probe.what != nullptr) add(needs.probe.what);
  return text;
}

}  // namespace conformance
