// Profiles from recorded facts. Each is parsed at its first use and lives as long as the process.
#include "mock/profile/profile.hpp"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "kvmapi/cap.hpp"
#include "mock/profile/modelled.hpp"
#include "mock/profile/recorded_facts.hpp"

namespace mock {
namespace {

using nlohmann::json;

// Numbers are recorded as JSON numbers or as "0x..." strings.
u64 number(const json& value) {
  return value.is_string() ? std::stoull(value.get<std::string>(), nullptr, 0) : value.get<u64>();
}

KernelVersion parse_release(const std::string& release) {
  KernelVersion version;
  if (std::sscanf(release.c_str(), "%d.%d", &version.major, &version.minor) != 2) return {};
  return version;
}

std::vector<kvm_cpuid_entry2> parse_cpuid(const json& list, const cpu::Host& host) {
  std::vector<kvm_cpuid_entry2> entries;
  for (const json& item : list) {
    const auto field = [&](const char* name) { return static_cast<u32>(number(item.at(name))); };
    kvm_cpuid_entry2 entry{.function = field("function"),
                           .index = field("index"),
                           .flags = field("flags"),
                           .eax = field("eax"),
                           .ebx = field("ebx"),
                           .ecx = field("ecx"),
                           .edx = field("edx"),
                           .padding = {}};
    if (cut_to_modelled(entry, host)) entries.push_back(entry);
  }
  return entries;
}

std::map<u32, int> parse_capabilities(const json& object) {
  std::map<u32, int> values;
  for (const auto& [name, value] : object.items()) {
    const auto cap = cap_from_name(name);
    if (!cap || !value.is_number()) continue;
    const u32 id = static_cast<u32>(*cap);
    if (is_modelled_capability(id)) values[id] = value.get<int>();
  }
  return values;
}

std::vector<StatsDescriptor> parse_stats(const json& stats, const char* kind) {
  std::vector<StatsDescriptor> descriptors;
  if (!stats.contains(kind) || !stats.at(kind).contains("descriptors")) return descriptors;
  for (const json& item : stats.at(kind).at("descriptors"))
    descriptors.push_back({.name = item.at("name").get<std::string>(),
                           .flags = static_cast<u32>(number(item.at("flags"))),
                           .exponent = item.at("exponent").get<s16>(),
                           .size = item.at("size").get<u16>(),
                           .offset = item.at("offset").get<u32>(),
                           .bucket_size = item.at("bucket_size").get<u32>()});
  return descriptors;
}

// The tested machine's own processor speed would be as good; one value makes runs comparable.
constexpr u64 kTscKhz = 2600000;

std::unique_ptr<Profile> parse(const RecordedFacts& facts, const cpu::Host& host) {
  const json document = json::parse(facts.json);
  auto profile = std::make_unique<Profile>();
  profile->name = facts.profile;
  profile->kernel = parse_release(document.at("kernel").at("release").get<std::string>());
  profile->tsc_khz = kTscKhz;
  const json& capabilities = document.at("capabilities");
  profile->capabilities = parse_capabilities(capabilities.at("system"));
  profile->vm_capabilities = {parse_capabilities(capabilities.at("vm")),
                              parse_capabilities(capabilities.at("vm_irqchip")),
                              parse_capabilities(capabilities.at("vm_split_irqchip"))};
  profile->supported_cpuid = parse_cpuid(document.at("cpuid").at("supported"), host);
  profile->emulated_cpuid = parse_cpuid(document.at("cpuid").at("emulated"), host);
  const json& msrs = document.at("msrs");
  for (const json& index : msrs.at("index_list"))
    if (const u32 msr = static_cast<u32>(number(index)); is_modelled_msr(msr)) profile->msrs_to_save.push_back(msr);
  for (const auto& [index, value] : msrs.at("features").items())
    if (value.is_string() || value.is_number())
      profile->feature_msrs.push_back({static_cast<u32>(std::stoul(index, nullptr, 0)), number(value)});
  for (const auto& [index, value] : msrs.at("fresh").items())
    if (value.is_string() || value.is_number())
      profile->fresh_msrs[static_cast<u32>(std::stoul(index, nullptr, 0))] = number(value);
  if (document.contains("stats")) {
    profile->vm_stats = parse_stats(document.at("stats"), "vm");
    profile->vcpu_stats = parse_stats(document.at("stats"), "vcpu");
  }
  return profile;
}

}  // namespace

const Profile* find_profile(std::string_view name) {
  if (name.empty()) name = kDefaultProfile;
  static std::mutex mutex;
  static std::map<std::string_view, std::unique_ptr<Profile>> parsed;
  std::lock_guard lock(mutex);
  for (const RecordedFacts& facts : recorded_facts()) {
    if (facts.profile != name) continue;
    auto& profile = parsed[facts.profile];
    if (!profile) profile = parse(facts, cpu::host());
    return profile.get();
  }
  return nullptr;
}

std::unique_ptr<Profile> make_profile(std::string_view name, const cpu::Host& host) {
  for (const RecordedFacts& facts : recorded_facts())
    if (facts.profile == name) return parse(facts, host);
  return nullptr;
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const RecordedFacts& facts : recorded_facts()) names.emplace_back(facts.profile);
  return names;
}

int Profile::capability(u32 number) const {
  // The recorded value is the lab machine's number of processors; the rule is min(online, max).
  if (number == static_cast<u32>(Cap::NrVcpus))
    return static_cast<int>(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, max_vcpus()));
  const auto found = capabilities.find(number);
  return found == capabilities.end() ? 0 : found->second;
}

const FeatureMsr* Profile::find_feature_msr(u32 index) const {
  for (const FeatureMsr& msr : feature_msrs)
    if (msr.index == index) return &msr;
  return nullptr;
}

u32 Profile::max_slots() const { return static_cast<u32>(capability(static_cast<u32>(Cap::NrMemslots))); }
u32 Profile::max_vcpus() const { return static_cast<u32>(capability(static_cast<u32>(Cap::MaxVcpus))); }
u32 Profile::max_vcpu_ids() const { return static_cast<u32>(capability(static_cast<u32>(Cap::MaxVcpuId))); }

}  // namespace mock
