// Filters and shards. See selection.hpp.
#include "conformance/runner/selection.hpp"

#include <algorithm>
#include <charconv>

namespace conformance {

bool matches(const std::string& filter, const Test& test) {
  if (matches_glob(filter, test.id)) return true;
  return test.id.size() > filter.size() && test.id[filter.size()] == '.' &&
         test.id.compare(0, filter.size(), filter) == 0;
}

std::vector<const Test*> select(const Registry& registry, const Selection& selection) {
  std::vector<const Test*> selected;
  unsigned index = 0;
  for (const Test& test : registry.tests()) {
    const auto is_match = [&](const std::string& filter) { return matches(filter, test); };
    if (!selection.filters.empty() && std::ranges::none_of(selection.filters, is_match)) continue;
    if (std::ranges::any_of(selection.excludes, is_match)) continue;
    if (index++ % selection.shards == selection.shard - 1) selected.push_back(&test);
  }
  return selected;
}

std::vector<std::string> unmatched(const Registry& registry, const std::vector<std::string>& filters) {
  std::vector<std::string> result;
  for (const std::string& filter : filters) {
    const bool is_used = std::ranges::any_of(registry.tests(), [&](const Test& test) { return matches(filter, test); });
    if (!is_used) result.push_back(filter);
  }
  return result;
}

bool parse_shard(const std::string& text, unsigned& shard, unsigned& shards) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) return false;
  const char* begin = text.data();
  const char* end = begin + text.size();
  const auto first = std::from_chars(begin, begin + slash, shard);
  const auto second = std::from_chars(begin + slash + 1, end, shards);
  return first.ec == std::errc{} && first.ptr == begin + slash && second.ec == std::errc{} && second.ptr == end &&
         shard >= 1 && shard <= shards;
}

}  // namespace conformance
