// Report: everything that a run found out, for all its targets. What reporters print and what result files hold.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "conformance/support/outcome.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

// Of the result files. Changes when a reader of the older form would be misled.
inline constexpr int kSchemaVersion = 1;

struct TargetReport {
  std::string name;            // "mock", "kvm", a path
  std::string implementation;  // "mock (6.12)", "/dev/kvm"
  std::string kernel_release;
  std::string vendor;
  std::string rerun_command;              // "kvm-conformance run --target mock --profile 6.1"
  std::vector<std::string> expectations;  // files that were used
  std::string unavailable;                // why nothing was run; empty if it was
  std::string remedy;                     // what helps against that
  bool is_required = false;               // being unavailable is an error
  bool is_complete = false;               // false: interrupted
  std::size_t planned = 0;                // tests that should have been run
  double seconds = 0;
  nlohmann::json facts;             // capabilities, CPUID, MSR lists; null if not collected
  std::vector<TestResult> results;  // in order of id
};

struct Report {
  std::string started_at;  // UTC, RFC 3339
  std::vector<TargetReport> targets;
};

struct Tally {
  std::array<std::size_t, kEveryVerdict.size()> counts{};
  std::size_t operator[](Verdict verdict) const { return counts[static_cast<std::size_t>(verdict)]; }
  void add(Verdict verdict) { ++counts[static_cast<std::size_t>(verdict)]; }
  std::size_t total() const;
};
Tally tally(const TargetReport& target);

// 0 as expected, 1 a failure or an xpass, 3 something broken or not run to the end, 4 a required target is not
// available.
int exit_status(const Report& report);

// `registry` adds source, file, line and status of each test; ids that it does not know keep what the result has.
nlohmann::json to_json(const Report& report, const Registry& registry);
// Reads what to_json() wrote. Throws std::runtime_error saying what is wrong with the document.
Report report_from_json(const nlohmann::json& json);

}  // namespace conformance
