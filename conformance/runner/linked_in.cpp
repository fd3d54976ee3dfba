// The expectation files that the program carries. linked_in.inc is made by conformance/expectations/embed.cmake.
#include <string_view>
#include <vector>

#include "conformance/support/expectations.hpp"

namespace conformance {
namespace {

struct File {
  std::string_view name;
  std::string_view text;
};
#include "linked_in.inc"

}  // namespace

std::optional<std::string_view> linked_in_expectations(std::string_view name) {
  for (const File& file : kFiles) {
    if (!file.name.empty() && file.name == name) return file.text;
  }
  return std::nullopt;
}

std::vector<std::string_view> linked_in_expectation_names() {
  std::vector<std::string_view> names;
  for (const File& file : kFiles) {
    if (!file.name.empty()) names.push_back(file.name);
  }
  return names;
}

}  // namespace conformance
