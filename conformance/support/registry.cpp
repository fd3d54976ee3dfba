// Registry: the list of tests, its rules for ids, and glob matching. See registry.hpp.
#include "conformance/support/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conformance {

const char* name(Abi status) {
  switch (status) {
    case Abi::promised:
      return "promised";
    case Abi::observed:
      return "observed";
    case Abi::sane:
      return "sane";
  }
  return "?";
}

std::string_view Test::area() const { return std::string_view(id).substr(0, id.find('.')); }
std::string_view Test::suite() const { return std::string_view(id).substr(0, id.rfind('.')); }
std::string_view Test::claim() const { return std::string_view(id).substr(id.rfind('.') + 1); }

Registry& Registry::global() {
  static Registry registry;
  return registry;
}

void Registry::add(Test test) {
  const std::string_view file = test.file;
  const auto inside = file.rfind("conformance/");
  if (inside != std::string_view::npos) test.file += inside;
  tests_.push_back(std::move(test));
}

const Test* Registry::find(std::string_view id) const {
  const auto found = std::ranges::find(tests_, id, &Test::id);
  return found == tests_.end() ? nullptr : &*found;
}

std::vector<std::string> Registry::sort() {
  std::ranges::sort(tests_, {}, &Test::id);
  std::vector<std::string> problems;
  for (std::size_t i = 0; i < tests_.size(); ++i) {
    const Test& test = tests_[i];
    if (!is_well_formed_id(test.id)) {
      problems.push_back(
          fmt::format("{}:{}: '{}' is not area.subject.claim in lower_snake", test.file, test.line, test.id));
    }
    if (i > 0 && tests_[i - 1].id == test.id) {
      problems.push_back(fmt::format("{}:{}: '{}' is also at {}:{}", test.file, test.line, test.id, tests_[i - 1].file,
                                     tests_[i - 1].line));
    }
  }
  return problems;
}

bool is_well_formed_id(std::string_view id) {
  int parts = 1;
  bool is_part_empty = true;
  for (char c : id) {
    if (c == '.') {
      if (is_part_empty) return false;
      ++parts;
      is_part_empty = true;
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
      is_part_empty = false;
    } else {
      return false;
    }
  }
  return parts >= 3 && !is_part_empty;
}

bool matches_glob(std::string_view glob, std::string_view text) {
  std::size_t g = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      mark = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

}  // namespace conformance
