// Whether the running test has failed already: the runner collects GoogleTest's failures itself, so that
// testing::Test::HasFailure() does not know them.
#pragma once

#include <gtest/gtest-spi.h>

namespace conformance {

// Failures of the running test; nullptr between tests. Set by the runner.
void watch_failures(const ::testing::TestPartResultArray* parts);
// Has an ASSERT_ or EXPECT_ of the running test failed? Outside the runner: what GoogleTest says.
bool failed_so_far();

}  // namespace conformance
