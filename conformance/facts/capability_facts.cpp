// Capabilities: KVM_CHECK_EXTENSION on /dev/kvm and on three kinds of VM. Only answers other than 0; the later maps
// hold only what differs from "system". Numbers without a name are asked too, so that a kernel newer than the table is
// seen.
#include <set>

#include "conformance/facts/facts.hpp"
#include "kvmapi/cap.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

constexpr u32 kNumbers = 512;
constexpr u32 kSplitPins = 24;

template <class Asked>
Json answers(const Asked& asked) {
  Json map = Json::object();
  for (u32 number = 0; number < kNumbers; ++number) {
    const CapInfo* const info = find_cap(number);
    const Result<int> answer = asked.check_extension(static_cast<Cap>(number));
    const std::string name = info != nullptr ? std::string(info->c_name) : "cap_" + std::to_string(number);
    if (!answer.ok())
      map[name] = refusal(answer.error());
    else if (*answer != 0)
      map[name] = *answer;
  }
  return map;
}

// What `map` has other than `base`; 0 where it lacks something.
Json difference(const Json& base, const Json& map) {
  Json result = Json::object();
  for (const auto& [name, value] : map.items())
    if (!base.contains(name) || base[name] != value) result[name] = value;
  for (const auto& [name, value] : base.items())
    if (!map.contains(name)) result[name] = 0;
  return result;
}

}  // namespace

Json capability_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  Json facts;
  const Json base = answers(*system);
  facts["system"] = base;
  if (const Result<Vm> vm = system->create_vm(); vm.ok()) {
    facts["vm"] = difference(base, answers(*vm));
    if (vm->create_irqchip().ok()) facts["vm_irqchip"] = difference(base, answers(*vm));
  }
  if (const Result<Vm> vm = system->create_vm(); vm.ok() && vm->enable_cap(Cap::SplitIrqchip, kSplitPins).ok())
    facts["vm_split_irqchip"] = difference(base, answers(*vm));
  return facts;
}

}  // namespace conformance
