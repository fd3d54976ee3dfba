#include "conformance/layout/layout_rows.hpp"

#include <utility>

namespace conformance {

void add_layout_row(std::string_view suite, std::string_view claim, const char* source, const char* file, int line,
                    std::function<void(Ctx&)> body, std::string describe) {
  Registry::global().add(Test{.id = "layout." + std::string(suite) + "." + std::string(claim),
                              .source = source,
                              .file = file,
                              .line = line,
                              .body = std::move(body),
                              .describe = [text = std::move(describe)] { return text; }});
}

std::string lower_words(std::string_view name) {
  std::string words;
  bool was_lower = false;
  for (const char c : name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    if (is_upper && was_lower) words += '_';
    words += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    was_lower = !is_upper && c != '_';
  }
  return words;
}

}  // namespace conformance
