#include "mock/profile/profile.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvmapi/cap.hpp"
#include "mock/cpu/cpuid_table.hpp"
#include "mock/cpu/xstate.hpp"
#include "mock/profile/recorded_facts.hpp"

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

// Bits that recorded kernels offer and the mock does not, with the reason.
struct NotOffered {
  u32 leaf, subleaf;
  cpu::CpuidRegister reg;
  u8 bit;
  const char* reason;
};
constexpr NotOffered kNotOffered[] = {
    {7, 1, cpu::CpuidRegister::eax, 7, "CMPccXADD: unknown to Zydis 4.0, and Intel's"},
    {0x80000001, 0, cpu::CpuidRegister::ecx, 2, "SVM: no nested virtualisation"},
    {0x80000001, 0, cpu::CpuidRegister::edx, 30, "extended 3DNow!: gone from processors since 2012"},
    {0x80000001, 0, cpu::CpuidRegister::edx, 31, "3DNow!: likewise"},
};

bool is_left_out(const cpu::FeatureWord& word, unsigned bit) {
  if (word.leaf == 0x8000000a) return true;  // details of SVM
  for (const NotOffered& row : kNotOffered)
    if (row.leaf == word.leaf && row.subleaf == word.subleaf && row.reg == word.reg && row.bit == bit) return true;
  return false;
}

u32 offered(const Profile& profile, const cpu::FeatureWord& word) {
  for (const kvm_cpuid_entry2& entry : profile.supported_cpuid) {
    const u32 words[] = {entry.eax, entry.ebx, entry.ecx, entry.edx};
    if (entry.function == word.leaf && entry.index == word.subleaf) return words[static_cast<unsigned>(word.reg)];
  }
  return 0;
}

u32 recorded(const nlohmann::json& facts, const cpu::FeatureWord& word) {
  const auto number = [](const nlohmann::json& value) {
    return static_cast<u32>(std::stoul(value.get<std::string>(), nullptr, 0));
  };
  constexpr const char* kNames[] = {"eax", "ebx", "ecx", "edx"};
  for (const auto& entry : facts.at("cpuid").at("supported")) {
    if (number(entry.at("function")) == word.leaf && number(entry.at("index")) == word.subleaf)
      return number(entry.at(kNames[static_cast<unsigned>(word.reg)]));
  }
  return 0;
}

constexpr cpu::Host kBestHost{.sse42 = true, .aes = true, .sha = true, .avx = true, .cx16 = true};

// cpuid_table_test.cpp proves that what has a row there is executed.
TEST(Profile, every_recorded_cpuid_bit_that_this_host_can_execute_is_offered_and_no_other) {
  unsigned bits = 0;
  for (const RecordedFacts& facts : recorded_facts()) {
    const auto document = nlohmann::json::parse(facts.json);
    const Profile& profile = *find_profile(facts.profile);
    for (const cpu::FeatureWord& word : cpu::feature_words()) {
      cpu::Bus::CpuidResult executed = cpu::executed_bits(word.leaf, word.subleaf, cpu::host());
      cpu::Bus::CpuidResult executed_anywhere = cpu::executed_bits(word.leaf, word.subleaf, kBestHost);
      const u32 was = recorded(document, word), is = offered(profile, word), can = word_of(executed, word.reg);
      EXPECT_EQ(is, was & can) << facts.profile << ": leaf " << std::hex << word.leaf << "." << word.subleaf;
      for (unsigned bit = 0; bit < 32; ++bit) {
        if (!(was >> bit & 1)) continue;
        ++bits;
        const bool has_row = word_of(executed_anywhere, word.reg) >> bit & 1;
        EXPECT_NE(has_row, is_left_out(word, bit))
            << facts.profile << ": leaf " << std::hex << word.leaf << "." << word.subleaf << " register "
            << int(word.reg) << " bit " << std::dec << bit;
      }
    }
  }
  std::printf("%u feature bits\n", bits);
  EXPECT_GT(bits, 300u);
}

TEST(Profile, a_host_of_x86_64_v1_offers_less) {
  const auto profile = make_profile("6.12", cpu::Host{});
  ASSERT_NE(profile, nullptr);
  using enum cpu::CpuidRegister;
  EXPECT_EQ(offered(*profile, {1, 0, ecx}) & (1u << 28 | 1u << 25 | 1u << 20 | 1u << 12 | 1u), 0u);
  EXPECT_EQ(offered(*profile, {1, 0, ecx}) & (1u << 23 | 1u << 26), 1u << 23 | 1u << 26) << "POPCNT and XSAVE stay";
  EXPECT_EQ(offered(*profile, {7, 0, ebx}) & (1u << 5 | 1u << 29), 0u) << "AVX2, SHA";
  EXPECT_EQ(offered(*profile, {7, 0, ebx}) & (1u << 3 | 1u << 8), 1u << 3 | 1u << 8) << "BMI stays";
  EXPECT_EQ(offered(*profile, {0xd, 0, eax}), 0x203u);
  for (const kvm_cpuid_entry2& entry : profile->supported_cpuid)
    EXPECT_FALSE(entry.function == 0xd && entry.index == 2) << "no AVX component";
}

TEST(Profile, the_xsave_area_is_the_recorded_one) {
  for (const RecordedFacts& facts : recorded_facts()) {
    const Profile& profile = *find_profile(facts.profile);
    const u32 xcr0 = offered(profile, {0xd, 0, cpu::CpuidRegister::eax});
    EXPECT_EQ(offered(profile, {0xd, 0, cpu::CpuidRegister::ecx}), cpu::xsave_bytes(xcr0, false));
    for (const cpu::XstateComponent& component : cpu::kXstateComponents) {
      if (!(xcr0 >> component.number & 1)) continue;
      EXPECT_EQ(offered(profile, {0xd, component.number, cpu::CpuidRegister::eax}), component.bytes);
      EXPECT_EQ(offered(profile, {0xd, component.number, cpu::CpuidRegister::ebx}), component.standard_offset);
    }
  }
}

}  // namespace
}  // namespace mock
