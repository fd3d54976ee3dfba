// The report for people: what failed and why, what was skipped and why, and the table.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "conformance/runner/reporters.hpp"

namespace conformance {
namespace {

std::string indented(std::string_view text, std::string_view indent) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out += fmt::format("{}{}\n", indent, text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

// What a reader needs to understand one failure and to see it again.
std::string explained(const TestResult& result, const TargetReport& target, const Registry& registry) {
  std::string out = fmt::format("{}  {}  on {}\n", result.verdict == Verdict::broken ? "BROKEN" : "FAIL  ", result.id,
                                target.implementation);
  out += indented(result.message, "    ");
  if (const Test* test = registry.find(result.id)) {
    out += fmt::format("    claim:  {}:{} ({}, {})\n", test->file, test->line, test->source, name(test->status));
  }
  out += fmt::format("    again:  {} --filter {}\n", target.rerun_command, result.id);
  return out;
}

std::string failures(const Report& report, const Registry& registry) {
  std::string out;
  for (const TargetReport& target : report.targets) {
    for (const TestResult& result : target.results) {
      if (is_failure(result.verdict) || result.verdict == Verdict::broken)
        out += explained(result, target, registry) + "\n";
    }
  }
  return out;
}

std::string listed_reasons(const TargetReport& target, Verdict verdict, std::string TestResult::*why) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const TestResult& result : target.results) {
    if (result.verdict == verdict) by_reason[result.*why].push_back(result.id);
  }
  std::string out;
  for (const auto& [reason, ids] : by_reason) {
    out += fmt::format("  {:>5}  {}  ({}{})\n", ids.size(), reason.substr(0, reason.find('\n')), ids.front(),
                       ids.size() > 1 ? ", ..." : "");
  }
  return out.empty() ? out : fmt::format("{} on {}, by reason:\n{}\n", name(verdict), target.name, out);
}

std::string area_of(const std::string& id) { return id.substr(0, id.find('.')); }

struct Column {
  std::string head;
  std::map<std::string, Tally> areas;
  Tally all;
};

constexpr std::array kShown = {Verdict::pass, Verdict::fail, Verdict::skip, Verdict::xfail, Verdict::broken};

// xpass is shown in the column of failures: both mean that something has to be done.
std::string cells(const Tally& counts) {
  std::string out;
  for (Verdict verdict : kShown) {
    const std::size_t count = counts[verdict] + (verdict == Verdict::fail ? counts[Verdict::xpass] : 0);
    out += fmt::format(" {:>6}", count);
  }
  return out;
}

}  // namespace

std::string table(const Report& report) {
  constexpr std::size_t kCellWidth = 7 * kShown.size();
  std::set<std::string> areas;
  std::vector<Column> columns;
  for (const TargetReport& target : report.targets) {
    if (!target.unavailable.empty()) continue;
    Column column{.head = target.implementation == target.name
                              ? target.name
                              : fmt::format("{}: {}", target.name, target.implementation)};
    for (const TestResult& result : target.results) {
      areas.insert(area_of(result.id));
      column.areas[area_of(result.id)].add(result.verdict);
      column.all.add(result.verdict);
    }
    columns.push_back(std::move(column));
  }
  if (columns.empty()) return "";
  std::string out = fmt::format("{:<10}", "");
  for (const Column& column : columns)
    out += fmt::format(" |  {:<{}}", column.head.substr(0, kCellWidth - 1), kCellWidth - 1);
  out += fmt::format("\n{:<10}", "area");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    out += " | ";
    for (Verdict verdict : kShown) out += fmt::format(" {:>6}", name(verdict));
  }
  out += fmt::format("\n{:-<{}}\n", "", 10 + columns.size() * (kCellWidth + 3));
  for (const std::string& area : areas) {
    out += fmt::format("{:<10}", area);
    for (Column& column : columns) out += fmt::format(" | {}", cells(column.areas[area]));
    out += "\n";
  }
  out += fmt::format("{:<10}", "all");
  for (const Column& column : columns) out += fmt::format(" | {}", cells(column.all));
  return out + "\n";
}

std::string human_report(const Report& report, const Registry& registry) {
  std::string out = failures(report, registry);
  for (const TargetReport& target : report.targets) {
    out += listed_reasons(target, Verdict::skip, &TestResult::message);
    out += listed_reasons(target, Verdict::xfail, &TestResult::expectation);
  }
  out += table(report);
  for (const TargetReport& target : report.targets) {
    if (!target.unavailable.empty()) {
      out += fmt::format("{}{} {}: {}\n", out.empty() ? "" : "\n", target.name,
                         target.is_required ? "is not available" : "was skipped", target.unavailable);
      if (!target.remedy.empty()) out += indented(target.remedy, "    ");
    } else if (!target.is_complete) {
      out += fmt::format("\n{}: interrupted, {} of {} tests were run\n", target.name, target.results.size(),
                         target.planned);
    }
  }
  return out;
}

std::string json_report(const Report& report, const Registry& registry) {
  return to_json(report, registry).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::optional<Format> format_from_name(std::string_view name) {
  if (name == "human") return Format::human;
  if (name == "ktap") return Format::ktap;
  if (name == "junit") return Format::junit;
  if (name == "json") return Format::json;
  return std::nullopt;
}

std::string render(Format format, const Report& report, const Registry& registry) {
  switch (format) {
    case Format::human:
      return human_report(report, registry);
    case Format::ktap:
      return ktap_report(report);
    case Format::junit:
      return junit_report(report, registry);
    case Format::json:
      return json_report(report, registry);
  }
  return "";
}

}  // namespace conformance
