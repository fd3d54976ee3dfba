// First contact. See probe.hpp.
#include "conformance/runner/probe.hpp"

#include <nlohmann/json.hpp>

#include "conformance/runner/in_child.hpp"
#include "kvmapi/system.hpp"

namespace conformance {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kTimeout{20};

std::string vendor_string(const kvmapi::System& system) {
  const auto cpuid = system.get_supported_cpuid();
  if (!cpuid.ok()) return {};
  for (const auto& entry : *cpuid) {
    if (entry.function != 0) continue;
    const kvmapi::u32 words[] = {entry.ebx, entry.edx, entry.ecx};
    return std::string(reinterpret_cast<const char*>(words), sizeof words);
  }
  return {};
}

json capabilities(const kvmapi::System& system, const kvmapi::Vm& vm) {
  json numbers = json::array();
  for (const kvmapi::CapInfo& cap : kvmapi::capabilities()) {
    const auto on_system = system.check_extension(cap.id);
    const auto on_vm = vm.check_extension(cap.id);
    if ((on_system.ok() && *on_system > 0) || (on_vm.ok() && *on_vm > 0))
      numbers.push_back(static_cast<unsigned>(cap.id));
  }
  return numbers;
}

json ask(const Implementation& implementation) {
  const auto backend = implementation.make_backend();
  json answer{{"name", backend->name()}};
  const auto system = kvmapi::System::open(*backend, implementation.target.device.c_str());
  answer["open"] = system.error().value();
  if (!system.ok()) return answer;
  const auto version = system->get_api_version();
  answer["version"] = version.ok() ? *version : -1;
  if (!version.ok() || *version != 12) return answer;
  answer["vendor"] = vendor_string(*system);
  const auto vm = system->create_vm();
  answer["create_vm"] = vm.error().value();
  if (!vm.ok()) return answer;
  const auto vcpu = vm->create_vcpu(0);
  answer["create_vcpu"] = vcpu.error().value();
  answer["capabilities"] = capabilities(*system, *vm);
  return answer;
}

}  // namespace

Vendor vendor_from_cpuid(std::string_view text) {
  if (text == "GenuineIntel") return Vendor::intel;
  if (text == "AuthenticAMD" || text == "HygonGenuine") return Vendor::amd;
  return Vendor::other;
}

FirstContact make_contact(const Implementation& implementation) {
  FirstContact contact;
  HostSigns signs;
  signs.device = implementation.target.device;
  if (implementation.is_kernel) signs = look_around(implementation.target.device);
  const ChildAnswer answer = ask_in_child([&] { return ask(implementation).dump(); }, kTimeout);
  const json seen = json::parse(answer.text, nullptr, false);
  if (!answer.is_ok || !seen.is_object()) {
    signs.no_answer = answer.is_ok ? "an unreadable answer" : answer.text;
  } else {
    contact.backend_name = seen.value("name", "");
    signs.open_errno = seen.value("open", 0);
    signs.api_version = seen.value("version", 12);
    signs.create_vm_errno = seen.value("create_vm", HostSigns::kNotTried);
    signs.create_vcpu_errno = seen.value("create_vcpu", HostSigns::kNotTried);
    contact.vendor = vendor_from_cpuid(seen.value("vendor", ""));
    for (const json& number : seen.value("capabilities", json::array()))
      contact.capabilities.insert(number.get<unsigned>());
  }
  contact.diagnosis = diagnose(signs);
  return contact;
}

}  // namespace conformance
