// A run: targets one after the other, then the reports. See run_command.hpp.
#include "conformance/runner/run_command.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <set>
#include <system_error>
#include <thread>

#include "conformance/facts/facts.hpp"
#include "conformance/runner/in_child.hpp"
#include "conformance/runner/interruption.hpp"
#include "conformance/runner/output_file.hpp"
#include "conformance/runner/probe.hpp"
#include "conformance/runner/progress.hpp"
#include "conformance/runner/standard_output.hpp"
#include "conformance/runner/supervisor.hpp"
#include "conformance/runner/targets.hpp"
#include "conformance/support/expectations.hpp"

namespace conformance {
namespace {

using Clock = std::chrono::steady_clock;

int usage(const std::string& message) {
  fmt::print(stderr, "kvm-conformance: {}\n", message);
  return kUsage;
}

std::string now_utc() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

// Adds the lines of a file; an error names the file.
std::string add_file(const std::string& path, Expectations& expectations, const Registry& registry) {
  std::string text, error;
  if (!read_file(path, text, error)) return error;
  auto problems = expectations.add(text, path);
  const auto unknown = expectations.check_against(registry.tests());
  problems.insert(problems.end(), unknown.begin(), unknown.end());
  return fmt::format("{}", fmt::join(problems, "\n"));
}

struct PlannedTarget {
  Implementation implementation;
  Expectations expectations;
  bool is_required = false;
};

class Run {
 public:
  Run(const RunOptions& options, const ProgramSetup& setup)
      : options_(options), setup_(setup), progress_(options.progress_fd, options.is_quiet) {}

  // Empty, or what is wrong with the arguments.
  std::string prepare() {
    const auto& registry = *setup_.registry;
    for (const auto* filters : {&options_.selection.filters, &options_.selection.excludes}) {
      const auto wrong = unmatched(registry, *filters);
      if (!wrong.empty()) return fmt::format("no test matches '{}'; `kvm-conformance list` shows all", wrong.front());
    }
    if (!options_.skip_file.empty()) {
      if (auto error = add_file(options_.skip_file, skips_, registry); !error.empty()) return error;
    }
    for (const Test* test : select(registry, options_.selection)) {
      (skips_.find(test->id) != nullptr ? skipped_ : tests_).push_back(test);
    }
    if (options_.progress_fd >= 0 && ::fcntl(options_.progress_fd, F_GETFD) < 0) {
      return fmt::format("--progress-fd {}: this descriptor is not open", options_.progress_fd);
    }
    if (!options_.output.empty()) {
      if (auto error = check_writable(options_.output); !error.empty()) return error;
    }
    return plan_targets();
  }

  int execute() {
    const Interruption interruption;
    report_.started_at = now_utc();
    for (const PlannedTarget& planned : targets_) {
      report_.targets.push_back(run_target(planned, interruption));
    }
    const int written = write_reports();
    if (interruption.signal_number() != 0) {
      fmt::print(stderr, "kvm-conformance: stopped by {}; the results so far are above\n",
                 strsignal(interruption.signal_number()));
      return 128 + interruption.signal_number();
    }
    const int status = exit_status(report_);
    return status != 0 ? status : written;
  }

 private:
  std::string plan_targets() {
    const bool is_default = options_.targets.empty();
    std::vector<std::string> names = options_.targets;
    if (is_default)
      names = setup_.make_mock ? std::vector<std::string>{"mock", "kvm"} : std::vector<std::string>{"kvm"};
    std::set<std::string> seen;
    for (const std::string& name : names) {
      if (!seen.insert(name).second) continue;
      std::string error;
      auto implementation = implementation_for(name, options_.profile, setup_, error);
      if (!implementation) return error;
      PlannedTarget planned{.implementation = std::move(*implementation)};
      const bool is_named = !is_default || name == "mock";
      planned.is_required = options_.require == Require::unset ? is_named : options_.require == Require::on;
      if (error = load_expectations(planned); !error.empty()) return error;
      targets_.push_back(std::move(planned));
    }
    return "";
  }

  std::string load_expectations(PlannedTarget& planned) const {
    const auto& registry = *setup_.registry;
    if (!options_.expectations_file.empty())
      return add_file(options_.expectations_file, planned.expectations, registry);
    std::vector<std::string> names = planned.implementation.expectation_names;
    if (planned.implementation.is_kernel && !options_.expectations_name.empty()) {
      names = {options_.expectations_name};
      if (!linked_in_expectations(options_.expectations_name)) {
        return fmt::format("no expectations are called '{}'; there are: {}", options_.expectations_name,
                           fmt::join(linked_in_expectation_names(), ", "));
      }
    }
    if (!setup_.has_linked_in_expectations) return "";
    std::vector<std::string> problems;
    for (const std::string& name : names) {
      if (const auto text = linked_in_expectations(name)) {
        const auto found = planned.expectations.add(*text, name + ".txt");
        problems.insert(problems.end(), found.begin(), found.end());
      }
    }
    const auto unknown = planned.expectations.check_against(registry.tests());
    problems.insert(problems.end(), unknown.begin(), unknown.end());
    return fmt::format("{}", fmt::join(problems, "\n"));
  }

  TargetReport run_target(const PlannedTarget& planned, const Interruption& interruption) {
    Implementation implementation = planned.implementation;
    TargetReport report{.name = implementation.target.name,
                        .implementation = implementation.target.name,
                        .kernel_release = implementation.target.kernel_release,
                        .rerun_command = "kvm-conformance run " + implementation.rerun_arguments,
                        .is_required = planned.is_required,
                        .planned = tests_.size() + skipped_.size()};
    for (const auto& line : planned.expectations.lines()) {
      const std::string file = line.where.substr(0, line.where.rfind(':'));
      if (report.expectations.empty() || report.expectations.back() != file) report.expectations.push_back(file);
    }
    if (implementation.is_kernel && options_.require == Require::off) {
      report.unavailable = "switched off by --require off";
      return report;
    }
    if (interruption.signal_number() != 0) return report;
    const FirstContact contact = make_contact(implementation);
    if (!contact.backend_name.empty()) report.implementation = contact.backend_name;
    if (!implementation.modules.empty()) report.implementation += fmt::format(" ({})", implementation.modules);
    if (!contact.diagnosis.is_usable) {
      report.unavailable = contact.diagnosis.reason;
      report.remedy = contact.diagnosis.remedy;
      return report;
    }
    implementation.target.vendor = contact.vendor;
    report.vendor = name(contact.vendor);
    if (options_.has_facts && options_.format == Format::json) report.facts = facts(implementation);
    run_selected(implementation, planned.expectations, interruption, report);
    return report;
  }

  static nlohmann::json facts(const Implementation& implementation) {
    const ChildAnswer answer = ask_in_child(
        [&] {
          const auto backend = implementation.make_backend();
          return collect_facts(*backend, implementation.target.device.c_str()).dump();
        },
        std::chrono::seconds(120));
    auto json = nlohmann::json::parse(answer.text, nullptr, false);
    if (!answer.is_ok || json.is_discarded()) return {{"error", answer.is_ok ? "unreadable" : answer.text}};
    return json;
  }

  void run_selected(const Implementation& implementation, const Expectations& expectations,
                    const Interruption& interruption, TargetReport& report) {
    const auto begin = Clock::now();
    progress_.begin(report.name, report.planned);
    const auto record = [&](TestResult result) {
      progress_.end(result);
      report.results.push_back(std::move(result));
    };
    for (const Test* test : skipped_) {
      record({.id = test->id, .verdict = Verdict::skip, .message = "skip file: " + skips_.find(test->id)->reason});
    }
    const SupervisorOptions supervisor{
        .jobs = options_.jobs != 0 ? options_.jobs : std::max(1u, std::thread::hardware_concurrency()),
        .timeout = std::chrono::milliseconds(static_cast<long>(options_.timeout_s * 1000)),
        .wake_fd = interruption.fd()};
    const SupervisorCallbacks callbacks{
        .on_start = [&](const Test& test) { progress_.start(test.id); },
        .on_end = [&](TestEnd end) { record(expectations.judge(std::move(end))); },
        .on_quiet = [&](const std::string& id, double seconds) { progress_.quiet(id, seconds); }};
    try {
      report.is_complete = run_tests(implementation, tests_, supervisor, callbacks);
    } catch (const std::system_error& error) {  // no process or no descriptor to be had
      fmt::print(stderr, "kvm-conformance: the run cannot go on: {}\n", error.what());
    }
    progress_.done(report.is_complete);
    std::ranges::sort(report.results, {}, &TestResult::id);
    report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }

  int write_reports() const {
    const std::string text = render(options_.format, report_, *setup_.registry);
    std::string shown = text;
    int status = 0;
    if (!options_.output.empty()) {
      const std::string error = write_file(options_.output, text);
      if (error.empty()) {
        shown = options_.is_quiet                  ? ""
                : options_.format == Format::human ? text
                                                   : human_report(report_, *setup_.registry);
      } else {
        fmt::print(stderr, "kvm-conformance: {}; the results go to standard output instead\n", error);
        status = kBroken;
      }
    }
    if (const int printed = print(shown); printed != kAsExpected) status = printed;
    return status;
  }

  const RunOptions& options_;
  const ProgramSetup& setup_;
  Progress progress_;
  Expectations skips_;  // of --skip-file
  std::vector<const Test*> tests_, skipped_;
  std::vector<PlannedTarget> targets_;
  Report report_;
};

}  // namespace

int run_command(const RunOptions& options, const ProgramSetup& setup) {
  Run run(options, setup);
  if (const std::string error = run.prepare(); !error.empty()) return usage(error);
  return run.execute();
}

}  // namespace conformance
