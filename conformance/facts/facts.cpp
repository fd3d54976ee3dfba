// The frame of the facts: which kernel, which CPU vendor, and the answers that need no VM.
#include "conformance/facts/facts.hpp"

#include <fcntl.h>
#include <sys/utsname.h>

#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

// "AuthenticAMD": leaf 0 of the CPUID that KVM supports.
std::string vendor_string(const System& system) {
  const Result<Cpuid> cpuid = system.get_supported_cpuid();
  if (!cpuid.ok()) return "";
  for (const kvm_cpuid_entry2& entry : *cpuid) {
    if (entry.function != 0) continue;
    std::string text;
    for (const u32 part : {entry.ebx, entry.edx, entry.ecx})
      for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(part >> shift);
    return text;
  }
  return "";
}

Json kernel_facts() {
  utsname name{};
  uname(&name);
  return {{"release", name.release}, {"build", name.version}};
}

}  // namespace

Json refusal(Errno error) { return {{"errno", std::string(error.name())}}; }

Json collect_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return {{"error", std::string(device) + ": " + std::string(system.error().name())}};
  Json facts;
  facts["schema"] = 1;
  facts["kernel"] = kernel_facts();
  facts["vendor"] = vendor_string(*system);
  const auto number = [](int value) { return value; };
  facts["api_version"] = value_or_refusal(system->get_api_version(), number);
  facts["vcpu_mmap_bytes"] = value_or_refusal(system->get_vcpu_mmap_size(), number);
  facts["mce_cap"] = value_or_refusal(system->x86_get_mce_cap_supported(), hex);
  facts["capabilities"] = capability_facts(backend, device);
  facts["cpuid"] = cpuid_facts(backend, device);
  facts["msrs"] = msr_facts(backend, device);
  facts["vcpu"] = vcpu_facts(backend, device);
  facts["irqchip"] = irqchip_facts(backend, device);
  facts["stats"] = stats_facts(backend, device);
  return facts;
}

}  // namespace conformance
