// The program from outside: every way a test can end, arguments, files, signals, full disks.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "conformance/selftest/command.hpp"

namespace conformance {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::map<std::string, json> results_of(const CommandResult& result) {
  std::map<std::string, json> by_id;
  const json document = json::parse(result.out, nullptr, false);
  EXPECT_TRUE(document.is_object()) << result.out.substr(0, 500) << result.err;
  if (!document.is_object()) return by_id;
  for (const json& entry : document["targets"][0]["results"]) by_id[entry["id"]] = entry;
  return by_id;
}

std::string verdict(const std::map<std::string, json>& results, const std::string& id) {
  const auto found = results.find(id);
  return found == results.end() ? "absent" : found->second["verdict"].get<std::string>();
}

std::string message(const std::map<std::string, json>& results, const std::string& id) {
  const auto found = results.find(id);
  return found == results.end() ? "absent" : found->second.value("message", "");
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

const std::vector<std::string> kAll = {"run", "--target", "mock", "--format", "json", "--timeout", "1"};

TEST(Selftest, every_test_ends_as_its_name_says) {
  const std::string expectations = temporary_path("known.txt");
  write_text(expectations, "selftest.row.xfail_when_listed  a reason\nselftest.row.xpass_when_listed  another\n");
  auto arguments = kAll;
  arguments.insert(arguments.end(), {"--expectations", expectations});
  const CommandResult result = selftest(arguments);
  EXPECT_EQ(result.status, 1);
  const auto results = results_of(result);
  ASSERT_GT(results.size(), 25u);
  for (const auto& [id, entry] : results) {
    const std::string ending = id.substr(id.rfind('.') + 1);
    const auto says = [&](const char* word) { return ending.find(word) != std::string::npos; };
    const std::string expected = says("xfail")                           ? "xfail"
                                 : says("xpass")                         ? "xpass"
                                 : says("_skips")                        ? "skip"
                                 : says("is_broken")                     ? "broken"
                                 : says("fail") || says("not_run_after") ? "fail"
                                                                         : "pass";
    EXPECT_EQ(entry["verdict"], expected) << id << ": " << entry.value("message", "");
  }
}

TEST(Selftest, a_crash_names_the_signal_and_shows_what_was_printed) {
  auto arguments = kAll;
  arguments.insert(arguments.end(), {"--filter", "selftest.bad"});
  const auto results = results_of(selftest(arguments));
  EXPECT_THAT(message(results, "selftest.bad.abort_fails"), AllOf(HasSubstr("SIGABRT"), HasSubstr("last words")));
  EXPECT_THAT(message(results, "selftest.bad.kill_fails"), HasSubstr("SIGKILL"));
  EXPECT_THAT(message(results, "selftest.bad.exit_with_status_fails"), HasSubstr("ended with status 7"));
}

TEST(Selftest, a_hang_is_reported_and_the_run_goes_on) {
  auto arguments = kAll;
  arguments.insert(arguments.end(),
                   {"--jobs", "1", "--filter", "selftest.slow.hang_fails", "--filter", "selftest.free.passes"});
  const auto results = results_of(selftest(arguments));
  EXPECT_THAT(message(results, "selftest.slow.hang_fails"), HasSubstr("hang: still running after 1 s"));
  EXPECT_EQ(verdict(results, "selftest.free.passes"), "pass");
}

TEST(Selftest, reasons_are_exact) {
  auto arguments = kAll;
  arguments.insert(arguments.end(), {"--filter", "selftest.row", "--filter", "selftest.free"});
  const auto results = results_of(selftest(arguments));
  EXPECT_EQ(message(results, "selftest.row.unmet_capability_skips"), "KVM_CAP_READONLY_MEM is 0 on /dev/kvm");
  EXPECT_EQ(message(results, "selftest.row.newer_kernel_skips"), "kernel 6.12 is older than 99.0");
  EXPECT_EQ(message(results, "selftest.free.gtest_skip_skips"), "for this reason");
  EXPECT_THAT(message(results, "selftest.row.failing_set_up_is_broken"), HasSubstr("opening /nowhere failed: ENOENT"));
  EXPECT_THAT(message(results, "selftest.row.wrong_errno_fails"),
              AllOf(HasSubstr("expected: -1 EINVAL"), HasSubstr("got: -1 ENOENT"), HasSubstr("open(\"/nowhere\"")));
}

TEST(Status, is_0_when_all_is_well) {
  const CommandResult result = selftest({"run", "--target", "mock", "--filter", "*passes"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("selftest"));
}

TEST(Status, is_0_for_skips_and_1_for_an_xpass) {
  EXPECT_EQ(selftest({"run", "--target", "mock", "--filter", "*_skips"}).status, 0);
  const std::string expectations = temporary_path("known.txt");
  write_text(expectations, "selftest.row.xpass_when_listed  a reason\n");
  const CommandResult result =
      selftest({"run", "--target", "mock", "--filter", "*xpass*", "--expectations", expectations});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("Delete that line"));
}

TEST(Status, is_3_when_only_the_set_up_broke) {
  EXPECT_EQ(selftest({"run", "--target", "mock", "--filter", "*is_broken"}).status, 3);
}

TEST(Status, is_4_for_a_required_target_that_is_not_there) {
  const CommandResult required = selftest({"run", "--target", "/dev/not-there", "--require", "on"});
  EXPECT_EQ(required.status, 4);
  EXPECT_THAT(required.out, HasSubstr("/dev/not-there does not exist"));
  const CommandResult named = selftest({"run", "--target", "/dev/not-there"});
  EXPECT_EQ(named.status, 4);
}

TEST(Status, is_0_for_an_absent_target_with_require_auto) {
  const CommandResult result = selftest({"run", "--target", "/dev/not-there", "--require", "auto"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("was skipped: /dev/not-there does not exist"));
}

TEST(Status, is_4_for_a_device_that_is_no_kvm) {
  const CommandResult result = selftest({"run", "--target", "/dev/null"});
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.out, HasSubstr("/dev/null is no KVM"));
}

TEST(Usage, mistakes_get_a_message_and_status_2) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"bogus"},
      {"run", "--bogus"},
      {"run", "--target", "nonsense"},
      {"run", "--target", "mock", "--profile", "1.0"},
      {"run", "--filter", "no.such.test"},
      {"run", "--exclude", "no.such.test"},
      {"run", "--shard", "0/2"},
      {"run", "--shard", "3/2"},
      {"run", "--shard", "x"},
      {"run", "--timeout", "-1"},
      {"run", "--timeout", "soon"},
      {"run", "--jobs", "0"},
      {"run", "--format", "html"},
      {"run", "--require", "maybe"},
      {"run", "--expectations", "/nowhere"},
      {"run", "--expectations", "/"},
      {"run", "--expectations-name", "nobody", "--target", "kvm"},
      {"run", "--skip-file", "/nowhere"},
      {"run", "--target", "mock", "--output", "/nowhere/file"},
      {"run", "--target", "mock", "--output", "/tmp"},
      {"run", "--target", "mock", "--progress-fd", "77"},
      {"list", "no.such.test"},
      {"explain"},
      {"explain", "no.such.test"},
      {"doctor", "--target", "nonsense"},
      {"compare", "/nowhere", "/nowhere"},
      {"compare", "/dev/null", "/dev/null"},
  };
  for (const auto& arguments : mistakes) {
    const CommandResult result = selftest(arguments);
    std::string line;
    for (const auto& argument : arguments) line += argument + " ";
    EXPECT_EQ(result.status, 2) << line << result.out << result.err;
    EXPECT_THAT(result.err, AllOf(Not(""), Not(HasSubstr("terminate")))) << line;
  }
}

TEST(Usage, help_is_everywhere) {
  for (const char* command : {"run", "list", "explain", "doctor", "compare"}) {
    const CommandResult result = selftest({command, "--help"});
    EXPECT_EQ(result.status, 0);
    EXPECT_THAT(result.out, HasSubstr("Usage"));
  }
  EXPECT_THAT(selftest({"--help"}).out, AllOf(HasSubstr("doctor"), HasSubstr("Exit status")));
}

TEST(Usage, an_expectation_for_an_unknown_test_is_refused) {
  const std::string expectations = temporary_path("known.txt");
  write_text(expectations, "selftest.row.gone  a reason\n");
  const CommandResult result = selftest({"run", "--target", "mock", "--expectations", expectations});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.err, HasSubstr("known.txt:1: no test matches 'selftest.row.gone'"));
}

TEST(Selection, shards_are_disjoint_and_complete) {
  std::map<std::string, int> seen;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    for (const auto& [id, entry] : results_of(
             selftest({"run", "--target", "mock", "--format", "json", "--filter", "selftest.row", "--shard", shard}))) {
      ++seen[id];
    }
  }
  EXPECT_EQ(seen.size(), 15u);
  for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
}

TEST(Selection, excludes_and_skip_files_leave_tests_out) {
  const std::string skips = temporary_path("skips.txt");
  write_text(skips, "selftest.row.wrong*  known to hurt\n");
  const CommandResult result = selftest({"run", "--target", "mock", "--format", "json", "--filter", "selftest.row",
                                         "--exclude", "*check*", "--skip-file", skips});
  const auto results = results_of(result);
  EXPECT_EQ(verdict(results, "selftest.row.failing_check_fails"), "absent");
  EXPECT_EQ(verdict(results, "selftest.row.wrong_value_fails"), "skip");
  EXPECT_EQ(message(results, "selftest.row.wrong_value_fails"), "skip file: known to hurt");
}

TEST(Output, a_file_appears_whole_and_a_summary_is_printed) {
  const std::string path = temporary_path("result.json");
  const CommandResult result =
      selftest({"run", "--target", "mock", "--filter", "selftest.free.passes", "--format", "json", "--output", path});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json::parse(content_of(path))["targets"][0]["summary"]["pass"], 1);
  EXPECT_THAT(result.out, HasSubstr("area"));
}

TEST(Output, a_full_disk_is_told_and_the_results_are_not_lost) {
  const CommandResult result = selftest(
      {"run", "--target", "mock", "--filter", "selftest.free.passes", "--format", "json", "--output", "/dev/full"});
  EXPECT_EQ(result.status, 3);
  EXPECT_THAT(result.err, HasSubstr("cannot write /dev/full: No space left on device"));
  EXPECT_EQ(json::parse(result.out)["targets"][0]["summary"]["pass"], 1);
}

TEST(Output, a_full_standard_output_is_told) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run", "--target", "mock", "--filter", "selftest.free.passes"},
        {"list"},
        {"doctor", "--target", "mock"}}) {
    const CommandResult result = selftest(arguments, {.stdout_path = "/dev/full"});
    EXPECT_EQ(result.status, 3) << arguments[0];
    EXPECT_THAT(result.err, HasSubstr("No space left on device"));
  }
}

TEST(Output, closed_standard_descriptors_do_no_harm) {
  const std::string path = temporary_path("result.json");
  const std::string line =
      std::string(SELFTEST_PROGRAM) +
      " run --target mock --filter selftest.free.passes --filter selftest.bad.abort_fails --format json "
      "--output " +
      path + " <&- >&- 2>&-";
  EXPECT_EQ(run_command_line({"/bin/sh", "-c", line}).status, 1);
  const json document = json::parse(content_of(path), nullptr, false);
  ASSERT_TRUE(document.is_object());
  EXPECT_EQ(document["targets"][0]["summary"]["pass"], 1);
  EXPECT_EQ(document["targets"][0]["summary"]["fail"], 1);
}

TEST(Interruption, keeps_the_results_so_far) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string path = temporary_path("result.json");
    const CommandResult result =
        selftest({"run", "--target", "mock", "--filter", "selftest.free.passes", "--filter", "selftest.slow.hang_fails",
                  "--format", "json", "--output", path, "--timeout", "40"},
                 {.signal = signal, .signal_after = std::chrono::milliseconds(1500)});
    EXPECT_EQ(result.status, 128 + signal) << result.err;
    const json document = json::parse(content_of(path));
    EXPECT_EQ(document["targets"][0]["complete"], false);
    EXPECT_EQ(document["targets"][0]["planned"], 2);
    EXPECT_EQ(document["targets"][0]["summary"]["pass"], 1);
    EXPECT_THAT(result.out, HasSubstr("interrupted, 1 of 2 tests were run"));
  }
}

TEST(Progress, is_streamed_as_json_lines) {
  const CommandResult result = selftest({"run", "--target", "mock", "--filter", "selftest.bad.abort_fails", "--filter",
                                         "selftest.free.passes", "--progress-fd", "2", "--quiet"});
  std::istringstream lines(result.err);
  std::map<std::string, int> events;
  std::string ending;
  for (std::string line; std::getline(lines, line);) {
    const json event = json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << line;
    ++events[event["event"]];
    if (event["event"] == "end" && event["id"] == "selftest.bad.abort_fails") ending = event["verdict"];
  }
  EXPECT_EQ(events, (std::map<std::string, int>{{"target", 1}, {"start", 2}, {"end", 2}, {"done", 1}}));
  EXPECT_EQ(ending, "fail");
}

}  // namespace
}  // namespace conformance
