#include "conformance/support/registry.hpp"

#include <gmock/gmock.h>

namespace conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Test test(const char* id) { return Test{.id = id, .source = "", .needs = {}, .file = "f.cpp", .line = 7}; }

TEST(Glob, matches_stars_and_question_marks) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("vm.*", "vm.a.b"));
  EXPECT_TRUE(matches_glob("*einval", "vm.a.b_is_einval"));
  EXPECT_TRUE(matches_glob("v?.*.b*", "vm.a.bcd"));
  EXPECT_TRUE(matches_glob("a*b*c", "a_b_b_c"));
  EXPECT_FALSE(matches_glob("vm.*", "vcpu.a.b"));
  EXPECT_FALSE(matches_glob("vm", "vm.a"));
  EXPECT_FALSE(matches_glob("", "x"));
  EXPECT_FALSE(matches_glob("a?", "a"));
}

TEST(Ids, have_three_parts_of_lower_snake) {
  EXPECT_TRUE(is_well_formed_id("vm.create_vcpu.twice_is_eexist"));
  EXPECT_TRUE(is_well_formed_id("run.out.byte.long64"));
  for (const char* id : {"", "vm", "vm.a", "vm..b", "vm.a.", ".a.b", "vm.A.b", "vm.a b.c"}) {
    EXPECT_FALSE(is_well_formed_id(id)) << id;
  }
}

TEST(Registry, sorts_and_finds_by_id) {
  Registry registry;
  registry.add(test("vm.b.c"));
  registry.add(test("vm.a.c"));
  EXPECT_THAT(registry.sort(), IsEmpty());
  EXPECT_EQ(registry.tests()[0].id, "vm.a.c");
  ASSERT_NE(registry.find("vm.b.c"), nullptr);
  EXPECT_EQ(registry.find("vm.b"), nullptr);
  EXPECT_EQ(registry.find("vm.b.c")->area(), "vm");
  EXPECT_EQ(registry.find("vm.b.c")->suite(), "vm.b");
  EXPECT_EQ(registry.find("vm.b.c")->claim(), "c");
}

TEST(Registry, tells_of_ids_used_twice_and_malformed) {
  Registry registry;
  registry.add(test("vm.a.c"));
  registry.add(test("vm.a.c"));
  registry.add(test("vm.a.C"));
  EXPECT_THAT(registry.sort(), ElementsAre(HasSubstr("is not area.subject.claim"), HasSubstr("is also at")));
}

}  // namespace
}  // namespace conformance
