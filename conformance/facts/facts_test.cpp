// The recordings of real kernels are complete and readable, and ABI structs come out field by field.
#include "conformance/facts/facts.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace conformance {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::SizeIs;

std::vector<std::filesystem::path> recordings() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(KVM_RECORDED_DIR))
    if (entry.path().filename().string().starts_with("facts-")) paths.push_back(entry.path());
  return paths;
}

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

TEST(recorded_facts, exist_for_every_kernel_of_the_matrix) { EXPECT_THAT(recordings(), SizeIs(testing::Ge(4u))); }

TEST(recorded_facts, have_every_part) {
  for (const auto& path : recordings()) {
    SCOPED_TRACE(path.string());
    std::ifstream file(path);
    const Json facts = Json::parse(file);
    EXPECT_THAT(keys(facts), IsSupersetOf({"schema", "kernel", "vendor", "api_version", "vcpu_mmap_bytes", "mce_cap",
                                           "capabilities", "cpuid", "msrs", "vcpu", "irqchip", "stats"}));
    EXPECT_EQ(facts["api_version"], 12);
    EXPECT_EQ(facts["capabilities"]["system"]["KVM_CAP_USER_MEMORY"], 1);
    EXPECT_EQ(facts["vcpu"]["regs"]["rip"], "0xfff0");
    EXPECT_EQ(facts["vcpu"]["sregs"]["cs"]["base"], "0xffff0000");
    EXPECT_THAT(facts["cpuid"]["supported"], SizeIs(testing::Gt(10u)));
    EXPECT_THAT(facts["msrs"]["index_list"], Contains("0x10"));
  }
}

TEST(abi_json, integers_are_hexadecimal_and_bytes_are_one_string) {
  kvmapi::kvm_fpu fpu{};
  fpu.mxcsr = 0x1f80;
  fpu.xmm[0][0] = 0xab;
  const Json json = to_json_value(fpu);
  EXPECT_EQ(json["mxcsr"], "0x1f80");
  EXPECT_EQ(json["xmm"], "ab" + std::string(510, '0'));
}

TEST(abi_json, padding_is_silent_until_somebody_writes_it) {
  kvmapi::kvm_debugregs regs{};
  EXPECT_FALSE(to_json_value(regs).contains("reserved"));
  regs.reserved[8] = 1;
  EXPECT_TRUE(to_json_value(regs).contains("reserved"));
}

TEST(facts, of_a_device_that_does_not_open_are_an_error) {
  struct Closed : kvmapi::Backend {
    kvmapi::Result<int> open(const char*, int) override { return kvmapi::err(EACCES); }
    kvmapi::Result<int> ioctl(int, kvmapi::u32, kvmapi::u64) override { return kvmapi::err(EBADF); }
    kvmapi::Result<void*> mmap(void*, std::size_t, int, int, int, off_t) override { return kvmapi::err(EBADF); }
    kvmapi::Result<void> munmap(void*, std::size_t) override { return {}; }
    kvmapi::Result<void> close(int) override { return {}; }
    std::string name() const override { return "closed"; }
  } closed;
  const Json facts = collect_facts(closed);
  ASSERT_TRUE(facts.contains("error"));
  EXPECT_EQ(facts["error"], "/dev/kvm: EACCES");
}

}  // namespace
}  // namespace conformance
