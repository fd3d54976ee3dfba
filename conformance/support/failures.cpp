// See failures.hpp.
#include "conformance/support/failures.hpp"

#include <gtest/gtest.h>

namespace conformance {
namespace {

const ::testing::TestPartResultArray* watched = nullptr;

}  // namespace

void watch_failures(const ::testing::TestPartResultArray* parts) { watched = parts; }

bool failed_so_far() {
  if (watched == nullptr) return ::testing::Test::HasFailure();
  for (int i = 0; i < watched->size(); ++i) {
    if (watched->GetTestPartResult(i).failed()) return true;
  }
  return false;
}

}  // namespace conformance
