// See report_file.hpp.
#include "conformance/runner/report_file.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "conformance/runner/output_file.hpp"

namespace conformance {

Report read_report(const std::string& path) {
  std::string text, error;
  if (!read_file(path, text, error)) throw std::runtime_error(error);
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) throw std::runtime_error(fmt::format("{}: not JSON", path));
  try {
    return report_from_json(document);
  } catch (const std::runtime_error& problem) {
    throw std::runtime_error(fmt::format("{}: {}", path, problem.what()));
  }
}

}  // namespace conformance
