// CPUID tables: supported, emulated, Hyper-V.
#include "conformance/facts/facts.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

constexpr std::size_t kEntries = 256;

Json entries(const Cpuid& cpuid) {
  Json list = Json::array();
  for (const kvm_cpuid_entry2& entry : cpuid) list.push_back(to_json_value(entry));
  return list;
}

template <class Call>
Json table(Call call) {
  Cpuid cpuid(kEntries);
  const Result<int> result = call(cpuid);
  return result.ok() ? entries(cpuid) : refusal(result.error());
}

}  // namespace

Json cpuid_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  Json facts;
  facts["supported"] = table([&](Cpuid& cpuid) { return system->get_supported_cpuid(cpuid); });
  facts["emulated"] = table([&](Cpuid& cpuid) { return system->get_emulated_cpuid(cpuid); });
  facts["hyperv"] = table([&](Cpuid& cpuid) { return system->get_supported_hv_cpuid(cpuid); });
  return facts;
}

}  // namespace conformance
