// The profiles: one per recorded kernel.
#include "mock/profile/profile.hpp"

#include <array>

#include "mock/profile/defaults.hpp"

namespace mock {
namespace {

constexpr u64 kTscKhz = 2600000;

Profile make(std::string name, KernelVersion kernel) {
  Profile profile;
  profile.name = std::move(name);
  profile.kernel = kernel;
  profile.supported_cpuid = default_supported_cpuid();
  profile.emulated_cpuid = default_emulated_cpuid();
  profile.msrs_to_save = default_msrs_to_save();
  profile.feature_msrs = {{0x8b, 0x1000065}, {0x10a, 0}, {0xc0011029, 2}};
  profile.tsc_khz = kTscKhz;
  return profile;
}

const std::array<Profile, 4>& all() {
  static const std::array<Profile, 4> profiles = {make("5.10", {5, 10}), make("6.1", {6, 1}), make("6.12", {6, 12}),
                                                  make("7.2", {7, 2})};
  return profiles;
}

}  // namespace

const Profile* find_profile(std::string_view name) {
  if (name.empty()) name = kDefaultProfile;
  if (name == "7.x") name = "7.2";
  for (const Profile& profile : all())
    if (profile.name == name) return &profile;
  return nullptr;
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const Profile& profile : all()) names.push_back(profile.name);
  return names;
}

}  // namespace mock
