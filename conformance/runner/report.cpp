// Report: counting, exit status, and its JSON form. See report.hpp.
#include "conformance/runner/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace conformance {

using nlohmann::json;

std::size_t Tally::total() const { return std::accumulate(counts.begin(), counts.end(), std::size_t{0}); }

Tally tally(const TargetReport& target) {
  Tally counts;
  for (const TestResult& result : target.results) counts.add(result.verdict);
  return counts;
}

int exit_status(const Report& report) {
  bool is_failed = false, is_broken = false, is_missing = false;
  for (const TargetReport& target : report.targets) {
    if (!target.unavailable.empty()) {
      is_missing = is_missing || target.is_required;
      continue;
    }
    const Tally counts = tally(target);
    is_failed = is_failed || counts[Verdict::fail] != 0 || counts[Verdict::xpass] != 0;
    is_broken = is_broken || counts[Verdict::broken] != 0 || !target.is_complete;
  }
  return is_failed ? 1 : is_broken ? 3 : is_missing ? 4 : 0;
}

namespace {

json result_to_json(const TestResult& result, const Registry& registry) {
  json out{{"id", result.id}, {"verdict", name(result.verdict)}, {"seconds", result.seconds}};
  if (!result.message.empty()) out["message"] = result.message;
  if (!result.expectation.empty()) out["expectation"] = result.expectation;
  if (const Test* test = registry.find(result.id)) {
    out["source"] = test->source;
    out["status"] = name(test->status);
    out["file"] = test->file;
    out["line"] = test->line;
  }
  return out;
}

json target_to_json(const TargetReport& target, const Registry& registry) {
  json out{{"name", target.name},
           {"implementation", target.implementation},
           {"kernel_release", target.kernel_release},
           {"vendor", target.vendor},
           {"rerun_command", target.rerun_command},
           {"expectations", target.expectations},
           {"required", target.is_required},
           {"complete", target.is_complete},
           {"planned", target.planned},
           {"seconds", target.seconds},
           {"facts", target.facts}};
  if (!target.unavailable.empty()) {
    out["unavailable"] = target.unavailable;
    out["remedy"] = target.remedy;
  }
  const Tally counts = tally(target);
  for (Verdict verdict : kEveryVerdict) out["summary"][name(verdict)] = counts[verdict];
  out["results"] = json::array();
  for (const TestResult& result : target.results) out["results"].push_back(result_to_json(result, registry));
  return out;
}

TestResult result_from_json(const json& in) {
  TestResult result{.id = in.at("id").get<std::string>()};
  const auto verdict = verdict_from_name(in.at("verdict").get<std::string>());
  if (!verdict) throw std::runtime_error(fmt::format("{}: unknown verdict {}", result.id, in.at("verdict").dump()));
  result.verdict = *verdict;
  result.message = in.value("message", "");
  result.expectation = in.value("expectation", "");
  result.seconds = in.value("seconds", 0.0);
  return result;
}

TargetReport target_from_json(const json& in) {
  TargetReport target{.name = in.at("name").get<std::string>()};
  target.implementation = in.value("implementation", "");
  target.kernel_release = in.value("kernel_release", "");
  target.vendor = in.value("vendor", "");
  target.rerun_command = in.value("rerun_command", "");
  target.expectations = in.value("expectations", std::vector<std::string>{});
  target.unavailable = in.value("unavailable", "");
  target.remedy = in.value("remedy", "");
  target.is_required = in.value("required", false);
  target.is_complete = in.value("complete", false);
  target.planned = in.value("planned", std::size_t{0});
  target.seconds = in.value("seconds", 0.0);
  target.facts = in.value("facts", json());
  for (const json& result : in.at("results")) target.results.push_back(result_from_json(result));
  std::ranges::sort(target.results, {}, &TestResult::id);
  return target;
}

}  // namespace

json to_json(const Report& report, const Registry& registry) {
  json out{{"schema_version", kSchemaVersion}, {"program", "kvm-conformance"}, {"started_at", report.started_at}};
  out["targets"] = json::array();
  for (const TargetReport& target : report.targets) out["targets"].push_back(target_to_json(target, registry));
  return out;
}

Report report_from_json(const json& in) {
  try {
    if (!in.is_object() || in.value("program", "") != "kvm-conformance") {
      throw std::runtime_error("this is not a result file of kvm-conformance");
    }
    if (in.at("schema_version").get<int>() != kSchemaVersion) {
      throw std::runtime_error(fmt::format("its schema version is {}, this program reads {}",
                                           in.at("schema_version").dump(), kSchemaVersion));
    }
    Report report{.started_at = in.value("started_at", "")};
    for (const json& target : in.at("targets")) report.targets.push_back(target_from_json(target));
    return report;
  } catch (const json::exception& error) {
    throw std::runtime_error(fmt::format("not a complete result file ({})", error.what()));
  }
}

}  // namespace conformance
