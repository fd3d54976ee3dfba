// kvm-conformance itself, with all its tests: what a newcomer asks of it first.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "conformance/selftest/command.hpp"

namespace conformance {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

CommandResult program(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), PROGRAM);
  return run_command_line(arguments);
}

TEST(Program, lists_tests_of_every_area_with_source_and_place) {
  const json tests = json::parse(program({"list", "--json"}).out, nullptr, false);
  ASSERT_TRUE(tests.is_array());
  EXPECT_GT(tests.size(), 3000u);
  std::set<std::string> areas;
  for (const json& test : tests) {
    const std::string id = test["id"];
    areas.insert(id.substr(0, id.find('.')));
    EXPECT_NE(test["source"], "") << id;
    EXPECT_THAT(test["file"].get<std::string>(), testing::StartsWith("conformance/")) << id;
    EXPECT_GT(test["line"], 0) << id;
  }
  EXPECT_THAT(areas, IsSupersetOf({"layout", "system", "vm", "vcpu", "run", "cpu"}));
}

TEST(Program, explains_a_call_as_the_kernel_would_see_it) {
  const CommandResult result = program({"explain", "vm.set_user_memory_region.size_not_page_multiple_is_einval"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("api.rst 4.35"), HasSubstr("answers -1 EINVAL"),
                                HasSubstr("KVM_SET_USER_MEMORY_REGION, {slot=0"), HasSubstr("memory_size=0x1001")));
}

TEST(Program, explains_a_guest_with_its_code_and_exits) {
  const CommandResult result = program({"explain", "run.out.byte_to_immediate_port.long64"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("out 0x10, al"), HasSubstr("KVM_EXIT_IO out port 0x10 size 1 count 1 data 42")));
}

TEST(Program, knows_every_test_that_an_expectations_file_names) {
  const CommandResult wrong = program({"run", "--target", "kvm", "--expectations-name", "nobody"});
  ASSERT_EQ(wrong.status, 2);
  const std::string start = "there are: ";
  std::string names = wrong.err.substr(wrong.err.find(start) + start.size());
  for (char& c : names) c = c == ',' || c == '\n' ? ' ' : c;
  std::istringstream words(names);
  int files = 0;
  for (std::string name; words >> name; ++files) {
    const CommandResult result = program({"run", "--target", "kvm", "--require", "off", "--expectations-name", name});
    EXPECT_EQ(result.status, 0) << name << ": " << result.err;
  }
  EXPECT_GE(files, 4);
}

TEST(Program, answers_as_the_kernel_of_the_profile) {
  const std::string old_kernel = temporary_path("old.json"), new_kernel = temporary_path("new.json");
  for (const auto& [profile, path] : {std::pair{"5.10", old_kernel}, {"6.12", new_kernel}}) {
    program({"run", "--target", "mock", "--profile", profile, "--filter", "system.get_api_version", "--format", "json",
             "--output", path});
  }
  const CommandResult result = program({"compare", old_kernel, new_kernel});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("capabilities.system.KVM_CAP_NR_MEMSLOTS: 509 | 32764"));
}

}  // namespace
}  // namespace conformance
