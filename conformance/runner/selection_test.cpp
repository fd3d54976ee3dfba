#include "conformance/runner/selection.hpp"

#include <gmock/gmock.h>

namespace conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Registry registry_of(std::initializer_list<const char*> ids) {
  Registry registry;
  for (const char* id : ids) registry.add(Test{.id = id, .source = "", .needs = {}});
  registry.sort();
  return registry;
}

std::vector<std::string> ids(const std::vector<const Test*>& tests) {
  std::vector<std::string> out;
  for (const Test* test : tests) out.push_back(test->id);
  return out;
}

const Registry kRegistry = registry_of({"vm.a.one", "vm.a.two", "vm.ab.one", "vcpu.a.one"});

TEST(Selection, nothing_said_selects_everything) { EXPECT_EQ(select(kRegistry, {}).size(), 4u); }

TEST(Selection, filters_are_globs_or_parts_of_the_hierarchy) {
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"*.one"}})), ElementsAre("vcpu.a.one", "vm.a.one", "vm.ab.one"));
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"vm.a"}})), ElementsAre("vm.a.one", "vm.a.two"));
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"vm.a.one", "vcpu"}})), ElementsAre("vcpu.a.one", "vm.a.one"));
}

TEST(Selection, excludes_win) {
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"vm"}, .excludes = {"*one"}})), ElementsAre("vm.a.two"));
}

TEST(Selection, shards_split_what_is_selected) {
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"vm"}, .shard = 1, .shards = 2})),
              ElementsAre("vm.a.one", "vm.ab.one"));
  EXPECT_THAT(ids(select(kRegistry, {.filters = {"vm"}, .shard = 2, .shards = 2})), ElementsAre("vm.a.two"));
}

TEST(Selection, a_filter_that_matches_nothing_is_known) {
  EXPECT_THAT(unmatched(kRegistry, {"vm", "vm.c", "*two"}), ElementsAre("vm.c"));
  EXPECT_THAT(unmatched(kRegistry, {}), IsEmpty());
}

TEST(Shard, is_i_of_n) {
  unsigned shard = 0, shards = 0;
  EXPECT_TRUE(parse_shard("2/5", shard, shards));
  EXPECT_EQ(shard, 2u);
  EXPECT_EQ(shards, 5u);
  for (const char* wrong : {"", "/", "1", "1/", "/2", "0/2", "3/2", "1/2x", "x1/2", "-1/2", "1 / 2"}) {
    EXPECT_FALSE(parse_shard(wrong, shard, shards)) << wrong;
  }
}

}  // namespace
}  // namespace conformance
