#include "mock/faults/diagnostics.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace mock {
namespace {

TEST(Diagnostics, a_line_is_written_once) {
  const std::string file = testing::TempDir() + "kvmmock_diagnostics_test.log";
  std::remove(file.c_str());
  {
    Diagnostics diagnostics(file);
    ASSERT_TRUE(diagnostics.enabled());
    diagnostics.note("KVM_XEN_HVM_CONFIG: Xen is not modelled");
    diagnostics.note("KVM_XEN_HVM_CONFIG: Xen is not modelled");
  }
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  EXPECT_EQ(text.str(), "kvmmock: KVM_XEN_HVM_CONFIG: Xen is not modelled\n");
  std::remove(file.c_str());
}

TEST(Diagnostics, is_silent_when_nobody_asked) {
  unsetenv("KVMMOCK_LOG");
  EXPECT_FALSE(Diagnostics("").enabled());
}

}  // namespace
}  // namespace mock
