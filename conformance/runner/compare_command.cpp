// Two result files against each other. See compare_command.hpp.
#include "conformance/runner/compare_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <stdexcept>

#include "conformance/runner/report_file.hpp"
#include "conformance/runner/standard_output.hpp"

namespace conformance {
namespace {

using nlohmann::json;

// How many differing places are printed in full; the rest is counted.
constexpr std::size_t kShownFacts = 400;

const TargetReport& choose(const Report& report, const std::string& target, const std::string& path) {
  for (const TargetReport& candidate : report.targets) {
    if (target.empty() ? candidate.unavailable.empty() : candidate.name == target) return candidate;
  }
  throw std::runtime_error(target.empty() ? fmt::format("{}: no target was run", path)
                                          : fmt::format("{}: no target is called '{}'", path, target));
}

std::string shortened(const json& value) {
  std::string text =
      value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() > 120 ? text.substr(0, 117) + "..." : text;
}

// An array of objects that carry their own name is compared by that name, so that one more entry is one difference.
std::string key_of(const json& element) {
  if (element.is_primitive()) return element.is_string() ? element.get<std::string>() : element.dump();
  if (!element.is_object()) return "";
  std::string key;
  for (const char* part : {"name", "id", "function", "leaf", "index", "msr"}) {
    if (element.contains(part) && element[part].is_primitive()) {
      key += fmt::format("{}{}={}", key.empty() ? "" : ",", part, shortened(element[part]));
    }
  }
  return key;
}

// An array as a map by key; false when keys are missing or not unique.
bool by_key(const json& array, std::map<std::string, const json*>& out) {
  for (const json& element : array) {
    const std::string key = key_of(element);
    if (key.empty() || !out.emplace(key, &element).second) return false;
  }
  return true;
}

void walk(const json& a, const json& b, const std::string& path, std::vector<std::string>& lines);

void walk_maps(const std::map<std::string, const json*>& a, const std::map<std::string, const json*>& b,
               const std::string& path, std::vector<std::string>& lines) {
  std::set<std::string> keys;
  for (const auto& [key, value] : a) keys.insert(key);
  for (const auto& [key, value] : b) keys.insert(key);
  for (const std::string& key : keys) {
    const std::string place = path.empty() ? key : path + "." + key;
    const auto in_a = a.find(key), in_b = b.find(key);
    if (in_a == a.end()) {
      lines.push_back(fmt::format("{}: - | {}", place, shortened(*in_b->second)));
    } else if (in_b == b.end()) {
      lines.push_back(fmt::format("{}: {} | -", place, shortened(*in_a->second)));
    } else {
      walk(*in_a->second, *in_b->second, place, lines);
    }
  }
}

std::map<std::string, const json*> members(const json& object) {
  std::map<std::string, const json*> out;
  for (const auto& [key, value] : object.items()) out.emplace(key, &value);
  return out;
}

void walk(const json& a, const json& b, const std::string& path, std::vector<std::string>& lines) {
  if (a == b) return;
  if (a.is_object() && b.is_object()) return walk_maps(members(a), members(b), path, lines);
  std::map<std::string, const json*> map_a, map_b;
  if (a.is_array() && b.is_array() && by_key(a, map_a) && by_key(b, map_b)) return walk_maps(map_a, map_b, path, lines);
  lines.push_back(fmt::format("{}: {} | {}", path, shortened(a), shortened(b)));
}

std::string described(const TargetReport& target) {
  return fmt::format("{} ({}, kernel {})", target.name, target.implementation, target.kernel_release);
}

}  // namespace

std::string json_differences(const json& a, const json& b) {
  std::vector<std::string> lines;
  walk(a, b, "", lines);
  std::string out;
  for (std::size_t i = 0; i < lines.size() && i < kShownFacts; ++i) out += "  " + lines[i] + "\n";
  if (lines.size() > kShownFacts) out += fmt::format("  and {} more places\n", lines.size() - kShownFacts);
  return out;
}

std::string differences(const TargetReport& a, const TargetReport& b) {
  std::map<std::string, const TestResult*> in_b;
  for (const TestResult& result : b.results) in_b[result.id] = &result;
  std::string results;
  for (const TestResult& result : a.results) {
    const auto other = in_b.find(result.id);
    if (other == in_b.end()) {
      results += fmt::format("  {}: {} | -\n", result.id, name(result.verdict));
      continue;
    }
    if (other->second->verdict != result.verdict) {
      results += fmt::format("  {}: {} | {}\n", result.id, name(result.verdict), name(other->second->verdict));
    }
    in_b.erase(other);
  }
  for (const auto& [id, result] : in_b) results += fmt::format("  {}: - | {}\n", id, name(result->verdict));
  std::string out;
  if (!results.empty()) out += "results\n" + results;
  const std::string facts = json_differences(a.facts, b.facts);
  if (!facts.empty()) out += "facts\n" + facts;
  return out;
}

int compare_command(const std::string& path_a, const std::string& path_b, const std::string& target) {
  try {
    const Report report_a = read_report(path_a), report_b = read_report(path_b);
    const TargetReport& a = choose(report_a, target, path_a);
    const TargetReport& b = choose(report_b, target, path_b);
    const std::string found = differences(a, b);
    const std::string head = fmt::format("A: {}  {}\nB: {}  {}\n", path_a, described(a), path_b, described(b));
    const int printed = print(head + (found.empty() ? "no difference\n" : found));
    return printed != kAsExpected ? printed : found.empty() ? kAsExpected : kFailed;
  } catch (const std::runtime_error& error) {
    fmt::print(stderr, "kvm-conformance: {}\n", error.what());
    return kUsage;
  }
}

}  // namespace conformance
