// See report_command.hpp.
#include "conformance/runner/report_command.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "conformance/runner/output_file.hpp"
#include "conformance/runner/report_file.hpp"
#include "conformance/runner/standard_output.hpp"

namespace conformance {

int report_command(const std::vector<std::string>& paths, Format format, const std::string& output,
                   const Registry& registry) {
  Report whole;
  try {
    for (const std::string& path : paths) {
      Report one = read_report(path);
      if (whole.started_at.empty()) whole.started_at = one.started_at;
      for (TargetReport& target : one.targets) whole.targets.push_back(std::move(target));
    }
  } catch (const std::runtime_error& error) {
    fmt::print(stderr, "kvm-conformance: {}\n", error.what());
    return kUsage;
  }
  std::string shown = render(format, whole, registry);
  if (!output.empty()) {
    if (const std::string error = write_file(output, shown); !error.empty()) {
      fmt::print(stderr, "kvm-conformance: {}\n", error);
      return kBroken;
    }
    if (format != Format::human) shown = human_report(whole, registry);
  }
  const int printed = print(shown);
  const int status = exit_status(whole);
  return status != kAsExpected ? status : printed;
}

}  // namespace conformance
