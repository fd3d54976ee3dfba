// The files conformance/recorded/facts-amd-*.json, embedded.
#pragma once

#include <span>
#include <string_view>

namespace mock {

struct RecordedFacts {
  std::string_view profile;  // "6.12"
  std::string_view json;
};

// Oldest kernel first.
std::span<const RecordedFacts> recorded_facts();

}  // namespace mock
