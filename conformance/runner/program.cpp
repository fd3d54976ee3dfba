// Arguments to commands. See program.hpp.
#include "conformance/runner/program.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <system_error>

#include "conformance/runner/compare_command.hpp"
#include "conformance/runner/doctor_command.hpp"
#include "conformance/runner/list_command.hpp"
#include "conformance/runner/report_command.hpp"
#include "conformance/runner/run_command.hpp"
#include "conformance/support/expectations.hpp"

namespace conformance {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 all as expected, 1 a failure or an unexpected pass, 2 wrong usage, 3 something in the set-up broke "
    "or a "
    "result could not be written, 4 a required target is not available, 128+N stopped by signal N.";

struct Arguments {
  RunOptions run;
  std::string format = "human", require, shard;
  std::vector<std::string> list_filters;
  bool is_json = false;
  std::string explain_id;
  std::vector<std::string> doctor_targets = {"kvm"};
  std::string doctor_profile;
  std::string compare_a, compare_b, compare_target;
  std::vector<std::string> report_files;
};

// What is tested, and which tests.
void add_selection(CLI::App* run, Arguments& a, const ProgramSetup& setup) {
  run->add_option("--target", a.run.targets,
                  "mock, kvm (/dev/kvm) or the path of a device; may be repeated. Without it: the mock, and /dev/kvm "
                  "if it is usable")
      ->type_name("TARGET")
      ->allow_extra_args(false);
  run->add_option("--profile", a.run.profile,
                  fmt::format("Kernel that the mock answers as: {}", fmt::join(setup.profiles, ", ")))
      ->type_name("NAME");
  run->add_option("--filter", a.run.selection.filters,
                  "Only tests whose id matches: a glob ('*einval'), or a part of the hierarchy ('vm.create_vcpu'); may "
                  "be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  run->add_option("--exclude", a.run.selection.excludes, "Not these; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  run->add_option("--skip-file", a.run.skip_file, "Tests to skip: lines of an id or glob and a reason")
      ->type_name("FILE");
  run->add_option("--shard", a.shard, "Only the I-th of N equal parts of the selected tests")->type_name("I/N");
}

// How tests are run, and what is reported.
void add_execution(CLI::App* run, Arguments& a) {
  run->add_option("--timeout", a.run.timeout_s, "Seconds that one test may take; 0 = no limit")
      ->type_name("S")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86400.0));
  run->add_option("--jobs", a.run.jobs, "Worker processes at a time; without it one per CPU")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  run->add_option("--format", a.format, "Form of the report")
      ->check(CLI::IsMember({"human", "ktap", "junit", "json"}))
      ->capture_default_str();
  run->add_option("--output", a.run.output, "Write the report to this file; a summary still goes to standard output")
      ->type_name("FILE");
  run->add_option("--progress-fd", a.run.progress_fd,
                  "Write each start and end of a test as a JSON line to this descriptor, at once")
      ->type_name("FD")
      ->check(CLI::Range(0, 1 << 20));
  run->add_flag("--quiet", a.run.is_quiet, "No progress; with --output no summary either");
  run->add_flag("!--no-facts", a.run.has_facts, "Do not record capabilities, CPUID and MSRs in JSON results");
}

// What is taken for granted.
void add_expectations(CLI::App* run, Arguments& a) {
  run->add_option("--expectations", a.run.expectations_file,
                  "Known deviations of the targets (lines of an id or glob and a reason), instead of those built in")
      ->type_name("FILE");
  run->add_option("--expectations-name", a.run.expectations_name,
                  "Which of the built-in files holds for kernel targets, e.g. lab-6.1")
      ->envname("KVM_CONFORMANCE_EXPECTATIONS")
      ->type_name("NAME");
  run->add_option("--require", a.require,
                  "What to do about a target that is not there. auto: skip it with its reason; on: fail, naming what "
                  "is missing; "
                  "off: leave kernel targets out. Without it: targets that were named are required")
      ->check(CLI::IsMember({"auto", "on", "off"}));
}

void add_run(CLI::App& app, Arguments& a, const ProgramSetup& setup) {
  CLI::App* run = app.add_subcommand("run", "Run tests on one or more targets and report.");
  add_selection(run, a, setup);
  add_execution(run, a);
  add_expectations(run, a);
  run->footer(kFooter);
}

void add_questions(CLI::App& app, Arguments& a) {
  CLI::App* list = app.add_subcommand("list", "Print the ids of all tests, or of those that match.");
  list->add_option("filter", a.list_filters, "As --filter of run")->type_name("GLOB");
  list->add_flag("--json", a.is_json, "With source, needs, place and known deviations");
  CLI::App* explain = app.add_subcommand("explain", "Print what one test does and where its claim comes from.");
  explain->add_option("id", a.explain_id, "As `list` prints it")->required()->type_name("ID");
  CLI::App* doctor = app.add_subcommand("doctor", "Tell whether KVM can be used here, and if not, why and what helps.");
  doctor->add_option("--target", a.doctor_targets, "As for run; may be repeated")
      ->type_name("TARGET")
      ->capture_default_str()
      ->allow_extra_args(false);
  doctor->add_option("--profile", a.doctor_profile, "As for run")->type_name("NAME");
  doctor->add_flag("--json", a.is_json, "As JSON");
}

void add_result_files(CLI::App& app, Arguments& a) {
  CLI::App* compare = app.add_subcommand("compare",
                                         "Print what differs between two JSON result files: verdicts, capabilities, "
                                         "CPUID, MSR lists. Status 1 if anything does.");
  compare->add_option("a", a.compare_a, "A result file")->required()->type_name("A.json");
  compare->add_option("b", a.compare_b, "Another")->required()->type_name("B.json");
  compare->add_option("--target", a.compare_target, "Which target of the files; without it the first that was run")
      ->type_name("TARGET");
  CLI::App* report = app.add_subcommand("report", "Print one report of the targets of JSON result files.");
  report->add_option("files", a.report_files, "Result files")->required()->type_name("FILE.json");
  report->add_option("--format", a.format, "Form of the report")
      ->check(CLI::IsMember({"human", "ktap", "junit", "json"}))
      ->capture_default_str();
  report->add_option("--output", a.run.output, "As for run")->type_name("FILE");
}

int parse_error(const CLI::App& app, const CLI::ParseError& error) {
  return app.exit(error) == 0 ? kAsExpected : kUsage;
}

int dispatch_run(Arguments& a, const ProgramSetup& setup) {
  if (!a.shard.empty() && !parse_shard(a.shard, a.run.selection.shard, a.run.selection.shards)) {
    fmt::print(stderr, "kvm-conformance: --shard {}: it is I/N with I from 1 to N\n", a.shard);
    return kUsage;
  }
  a.run.format = *format_from_name(a.format);
  a.run.require = a.require == "auto"  ? Require::automatic
                  : a.require == "on"  ? Require::on
                  : a.require == "off" ? Require::off
                                       : Require::unset;
  return run_command(a.run, setup);
}

// A pipe of ours must not get the number of a standard descriptor that the caller had closed.
void open_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) < 0) ::_exit(kBroken);
  }
}

int run_program(int argc, const char* const* argv, const ProgramSetup& setup) {
  CLI::App app("Checks an implementation of the Linux KVM API against what the API promises.", "kvm-conformance");
  app.require_subcommand(1);
  app.footer(kFooter);
  Arguments a;
  add_run(app, a, setup);
  add_questions(app, a);
  add_result_files(app, a);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parse_error(app, error);
  }
  if (app.got_subcommand("run")) return dispatch_run(a, setup);
  if (app.got_subcommand("list")) return list_command(a.list_filters, a.is_json, setup);
  if (app.got_subcommand("explain")) return explain_command(a.explain_id, setup);
  if (app.got_subcommand("doctor")) return doctor_command(a.doctor_targets, a.doctor_profile, a.is_json, setup);
  if (app.got_subcommand("report")) {
    return report_command(a.report_files, *format_from_name(a.format), a.run.output, *setup.registry);
  }
  return compare_command(a.compare_a, a.compare_b, a.compare_target);
}

}  // namespace

int program(int argc, const char* const* argv, const ProgramSetup& setup) {
  open_standard_descriptors();
  const auto problems = setup.registry->sort();
  for (const std::string& problem : problems) fmt::print(stderr, "kvm-conformance: {}\n", problem);
  if (!problems.empty()) return kBroken;
  try {
    return run_program(argc, argv, setup);
  } catch (const std::exception& error) {
    fmt::print(stderr, "kvm-conformance: {}\n", error.what());
    return kBroken;
  }
}

}  // namespace conformance
