// KTAP. Diagnostics are lines that start with '#'; a description cannot hold '#' or a line break.
#include <fmt/format.h>

#include <map>

#include "conformance/runner/reporters.hpp"

namespace conformance {
namespace {

std::string one_line(std::string_view text) {
  std::string line;
  for (char c : text.substr(0, 300)) line += c == '#' ? '%' : static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string diagnostics(std::string_view text, std::string_view indent) {
  std::string lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string line;
    for (char c : text.substr(0, end)) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    lines += fmt::format("{}# {}\n", indent, line);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

std::string directive(const TestResult& result) {
  switch (result.verdict) {
    case Verdict::skip:
      return " # SKIP " + one_line(result.message);
    case Verdict::xfail:
      return " # XFAIL " + one_line(result.expectation);
    case Verdict::broken:
      return " # ERROR " + one_line(result.message);
    case Verdict::xpass:
      return " # passes but is listed as a known deviation";
    default:
      return "";
  }
}

bool is_ok(Verdict verdict) {
  return verdict == Verdict::pass || verdict == Verdict::skip || verdict == Verdict::xfail;
}

}  // namespace

std::string ktap_report(const Report& report) {
  std::string out = fmt::format("KTAP version 1\n1..{}\n", report.targets.size());
  for (std::size_t t = 0; t < report.targets.size(); ++t) {
    const TargetReport& target = report.targets[t];
    const std::string name = one_line(target.name);
    if (!target.unavailable.empty()) {
      const bool is_error = target.is_required;
      out += fmt::format("{} {} {} # {} {}\n", is_error ? "not ok" : "ok", t + 1, name, is_error ? "ERROR" : "SKIP",
                         one_line(target.unavailable));
      continue;
    }
    std::map<std::string, std::vector<const TestResult*>> suites;
    for (const TestResult& result : target.results)
      suites[result.id.substr(0, result.id.rfind('.'))].push_back(&result);
    out += fmt::format("  KTAP version 1\n  # {} {}\n  1..{}\n", one_line(target.implementation),
                       one_line(target.kernel_release), suites.size());
    bool is_target_ok = target.is_complete;
    std::size_t number = 0;
    for (const auto& [suite, results] : suites) {
      out += fmt::format("    KTAP version 1\n    1..{}\n", results.size());
      bool is_suite_ok = true;
      for (std::size_t i = 0; i < results.size(); ++i) {
        const TestResult& result = *results[i];
        is_suite_ok = is_suite_ok && is_ok(result.verdict);
        if (!is_ok(result.verdict)) out += diagnostics(result.message, "    ");
        out += fmt::format("    {} {} {}{}\n", is_ok(result.verdict) ? "ok" : "not ok", i + 1,
                           result.id.substr(suite.size() + 1), directive(result));
      }
      is_target_ok = is_target_ok && is_suite_ok;
      out += fmt::format("  {} {} {}\n", is_suite_ok ? "ok" : "not ok", ++number, suite);
    }
    if (!target.is_complete) {
      out += fmt::format("  # interrupted: {} of {} tests were run\n", target.results.size(), target.planned);
    }
    out += fmt::format("{} {} {}\n", is_target_ok ? "ok" : "not ok", t + 1, name);
  }
  return out;
}

}  // namespace conformance
