// Which tests a run is about.
#pragma once

#include <string>
#include <vector>

#include "conformance/support/expectations.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

struct Selection {
  std::vector<std::string> filters;   // globs over ids, or a part of the hierarchy ("vm.create_vcpu"); none: everything
  std::vector<std::string> excludes;  // likewise; wins
  unsigned shard = 1, shards = 1;     // every shards-th test, beginning with the shard-th
};

bool matches(const std::string& filter, const Test& test);
std::vector<const Test*> select(const Registry& registry, const Selection& selection);
// Filters that no test matches: most likely a mistake.
std::vector<std::string> unmatched(const Registry& registry, const std::vector<std::string>& filters);

// "2/5" is shard 2 of 5. False if it is not I/N with 1 <= I <= N.
bool parse_shard(const std::string& text, unsigned& shard, unsigned& shards);

}  // namespace conformance
