// A profile: which kernel the mock answers as. Values are recorded from real kernels (kvm_amd of Debian kernels), not
// invented; behaviour that differs between kernels asks since(major, minor).
#pragma once

#include <array>
#include <compare>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvmapi/types.hpp"
#include "kvmapi/uapi/cpuid.hpp"
#include "mock/cpu/host.hpp"

namespace mock {

using namespace kvmapi;

struct KernelVersion {
  int major = 0, minor = 0;
  friend constexpr auto operator<=>(KernelVersion, KernelVersion) = default;
};

struct FeatureMsr {
  u32 index;
  u64 value;
};

struct StatsDescriptor {
  std::string name;
  u32 flags;
  s16 exponent;
  u16 size;
  u32 offset, bucket_size;
};

struct Profile {
  std::string name;  // "6.12"
  KernelVersion kernel;
  std::vector<kvm_cpuid_entry2> supported_cpuid, emulated_cpuid;
  std::vector<u32> msrs_to_save;         // KVM_GET_MSR_INDEX_LIST
  std::vector<FeatureMsr> feature_msrs;  // KVM_GET_MSR_FEATURE_INDEX_LIST and the values behind it
  std::map<u32, u64> fresh_msrs;         // values of a vcpu that nobody touched
  std::map<u32, int> capabilities;       // KVM_CHECK_EXTENSION on /dev/kvm
  // On a vm descriptor, where it differs: without irqchip, with one, with a split one.
  std::array<std::map<u32, int>, 3> vm_capabilities;
  std::vector<StatsDescriptor> vm_stats, vcpu_stats;
  u64 tsc_khz = 0;

  bool since(int major, int minor) const { return kernel >= KernelVersion{major, minor}; }
  // 0 for what this kernel or the mock does not have.
  int capability(u32 number) const;

  // nullptr if `index` is none.
  const FeatureMsr* find_feature_msr(u32 index) const;
  u32 max_slots() const;
  u32 max_vcpus() const;
  u32 max_vcpu_ids() const;
};

// The profile called `name` (one of profile_names()), or nullptr. Profiles live as long as the process.
const Profile* find_profile(std::string_view name);
// The same as it is on another host; a new object each time.
std::unique_ptr<Profile> make_profile(std::string_view name, const cpu::Host& host);
// The names to offer in a message, oldest kernel first.
std::vector<std::string> profile_names();

inline constexpr std::string_view kDefaultProfile = "6.12";

}  // namespace mock
