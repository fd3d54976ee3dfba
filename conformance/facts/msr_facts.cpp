// MSRs: the index list, the feature MSRs, and what a vcpu's MSRs hold before and after KVM_SET_CPUID2. "volatile" names
// those that two readings disagree on; they have no value. null: in the list, but KVM does not read it.
#include <optional>
#include <set>

#include "conformance/facts/facts.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

template <class Reader>
std::optional<u64> read_msr(const Reader& reader, u32 index) {
  Msrs msrs{{.index = index}};
  const Result<int> done = reader.get_msrs(msrs);
  if (!done.ok() || *done != 1) return std::nullopt;
  return msrs[0].data;
}

template <class Reader>
Json values(const Reader& reader, const MsrIndexList& list, const std::set<u32>& moving) {
  Json map = Json::object();
  for (const u32 index : list) {
    if (moving.contains(index)) continue;
    const std::optional<u64> value = read_msr(reader, index);
    map[hex(index)] = value ? Json(hex(*value)) : Json(nullptr);
  }
  return map;
}

// Hyper-V's run time of the vcpu, reference time and TSC frequency: clocks, even if two readings happen to agree.
constexpr std::array kClocks = {0x40000010u, 0x40000020u, 0x40000022u};

std::set<u32> moving_msrs(const Vcpu& vcpu, const MsrIndexList& list) {
  std::set<u32> moving;
  for (const u32 index : list)
    if (std::ranges::find(kClocks, index) != kClocks.end()) moving.insert(index);
  for (const u32 index : list)
    if (read_msr(vcpu, index) != read_msr(vcpu, index)) moving.insert(index);
  return moving;
}

Json indices(const auto& list) {
  Json array = Json::array();
  for (const u32 index : list) array.push_back(hex(index));
  return array;
}

}  // namespace

Json msr_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  Json facts;
  const Result<MsrIndexList> list = system->get_msr_index_list();
  facts["index_list"] = list.ok() ? indices(*list) : refusal(list.error());
  const Result<MsrIndexList> features = system->get_msr_feature_index_list();
  facts["features"] = features.ok() ? values(*system, *features, {}) : refusal(features.error());
  const Result<Vm> vm = system->create_vm();
  if (!list.ok() || !vm.ok()) return facts;
  const Result<Vcpu> vcpu = vm->create_vcpu(0);
  if (!vcpu.ok()) return facts;
  const std::set<u32> moving = moving_msrs(*vcpu, *list);
  facts["volatile"] = indices(moving);
  facts["fresh"] = values(*vcpu, *list, moving);
  if (const Result<Cpuid> cpuid = system->get_supported_cpuid(); cpuid.ok() && vcpu->set_cpuid2(*cpuid).ok()) {
    const Json after = values(*vcpu, *list, moving);
    Json changed = Json::object();
    for (const auto& [index, value] : after.items())
      if (facts["fresh"][index] != value) changed[index] = value;
    facts["changed_by_cpuid"] = changed;
  }
  return facts;
}

}  // namespace conformance
