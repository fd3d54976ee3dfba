#include "mock/profile/profile.hpp"

#include <gtest/gtest.h>

#include "kvmapi/cap.hpp"

namespace mock {
namespace {

int cap(const char* profile, Cap which) { return find_profile(profile)->capability(static_cast<u32>(which)); }

TEST(Profile, every_name_is_a_profile_with_its_kernel_version) {
  for (const std::string& name : profile_names()) {
    const Profile* profile = find_profile(name);
    ASSERT_NE(profile, nullptr) << name;
    EXPECT_EQ(profile->name, name);
    EXPECT_GE(profile->kernel.major, 5);
    EXPECT_GT(profile->supported_cpuid.size(), 10u);
    EXPECT_GT(profile->msrs_to_save.size(), 10u);
  }
  EXPECT_EQ(find_profile("2.4"), nullptr);
  EXPECT_TRUE(find_profile("7.x")->since(7, 0));
  EXPECT_FALSE(find_profile("6.1")->since(6, 12));
}

TEST(Profile, capabilities_differ_as_the_kernels_do) {
  EXPECT_EQ(cap("5.10", Cap::NrMemslots), 509);
  EXPECT_EQ(cap("6.1", Cap::NrMemslots), 32764);
  EXPECT_EQ(cap("6.1", Cap::UserMemory2), 0);
  EXPECT_EQ(cap("6.12", Cap::UserMemory2), 1);
  EXPECT_EQ(cap("6.12", Cap::OneReg), 0);
  EXPECT_EQ(cap("7.x", Cap::OneReg), 1);
}

TEST(Profile, what_is_not_modelled_is_not_announced) {
  EXPECT_EQ(cap("6.12", Cap::XenHvm), 0);
  EXPECT_EQ(cap("6.12", Cap::Hyperv), 0);
}

}  // namespace
}  // namespace mock
