#include "mock/faults/defects.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mock {
namespace {

TEST(Defects, every_name_is_unique_and_found) {
  std::set<std::string_view> names;
  for (const DefectInfo& info : defects()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(defect_from_name(info.name), info.defect);
    EXPECT_FALSE(info.what.empty());
  }
  EXPECT_GE(names.size(), 20u);
  EXPECT_EQ(defect_from_name("no such defect"), std::nullopt);
}

}  // namespace
}  // namespace mock
