#include "conformance/runner/report.hpp"

#include <gmock/gmock.h>

#include <stdexcept>

#include "conformance/runner/compare_command.hpp"
#include "conformance/runner/reporters.hpp"

namespace conformance {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TargetReport target_with(std::initializer_list<Verdict> verdicts) {
  TargetReport target{.name = "t", .implementation = "impl", .is_required = true, .is_complete = true};
  int number = 0;
  for (Verdict verdict : verdicts) {
    target.results.push_back(
        {.id = "vm.a.test_" + std::to_string(number++), .verdict = verdict, .message = "m", .expectation = "e"});
  }
  target.planned = target.results.size();
  return target;
}
Report report_with(std::initializer_list<Verdict> verdicts) {
  return {.started_at = "now", .targets = {target_with(verdicts)}};
}

TEST(ExitStatus, follows_the_worst_that_happened) {
  using enum Verdict;
  EXPECT_EQ(exit_status(report_with({})), 0);
  EXPECT_EQ(exit_status(report_with({pass, skip, xfail})), 0);
  EXPECT_EQ(exit_status(report_with({pass, fail})), 1);
  EXPECT_EQ(exit_status(report_with({pass, xpass})), 1);
  EXPECT_EQ(exit_status(report_with({pass, broken})), 3);
  EXPECT_EQ(exit_status(report_with({fail, broken})), 1);
}

TEST(ExitStatus, an_unfinished_target_is_broken) {
  Report report = report_with({Verdict::pass});
  report.targets[0].is_complete = false;
  EXPECT_EQ(exit_status(report), 3);
}

TEST(ExitStatus, only_a_required_target_must_be_there) {
  Report report = report_with({});
  report.targets[0].unavailable = "gone";
  EXPECT_EQ(exit_status(report), 4);
  report.targets[0].is_required = false;
  EXPECT_EQ(exit_status(report), 0);
}

TEST(ReportJson, survives_a_round_trip) {
  using enum Verdict;
  const Report report = report_with({pass, fail, skip, xfail, xpass, broken});
  const json once = to_json(report, Registry());
  EXPECT_EQ(to_json(report_from_json(once), Registry()), once);
}

TEST(ReportJson, refuses_other_documents) {
  EXPECT_THROW(report_from_json(json::array()), std::runtime_error);
  EXPECT_THROW(report_from_json({{"program", "other"}}), std::runtime_error);
  json document = to_json(report_with({Verdict::pass}), Registry());
  document["schema_version"] = 99;
  EXPECT_THROW(report_from_json(document), std::runtime_error);
  document = to_json(report_with({Verdict::pass}), Registry());
  document["targets"][0]["results"][0]["verdict"] = "great";
  EXPECT_THROW(report_from_json(document), std::runtime_error);
  document = to_json(report_with({Verdict::pass}), Registry());
  document["targets"][0].erase("results");
  EXPECT_THROW(report_from_json(document), std::runtime_error);
}

TEST(Reports, show_every_verdict_in_every_form) {
  using enum Verdict;
  const Report report = report_with({pass, fail, skip, xfail, xpass, broken});
  const Registry registry;
  EXPECT_THAT(ktap_report(report), AllOf(HasSubstr("ok 1 test_0\n"), HasSubstr("not ok 2 test_1\n"),
                                         HasSubstr("ok 3 test_2 # SKIP m"), HasSubstr("ok 4 test_3 # XFAIL e"),
                                         HasSubstr("not ok 5 test_4"), HasSubstr("not ok 6 test_5 # ERROR m")));
  EXPECT_THAT(junit_report(report, registry), HasSubstr("tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"2\""));
  EXPECT_THAT(human_report(report, registry),
              AllOf(HasSubstr("FAIL    vm.a.test_1"), HasSubstr("FAIL    vm.a.test_4"),
                    HasSubstr("BROKEN  vm.a.test_5"), Not(HasSubstr("FAIL    vm.a.test_3"))));
  EXPECT_THAT(table(report), HasSubstr("vm         |       1      2      1      1      1\n"));
}

TEST(Reports, several_targets_stand_side_by_side) {
  Report report = report_with({Verdict::pass});
  report.targets.push_back(target_with({Verdict::skip, Verdict::skip}));
  EXPECT_THAT(table(report),
              HasSubstr("vm         |       1      0      0      0      0 |       0      0      2      0      0\n"));
}

TEST(Reports, an_interrupted_target_says_how_far_it_came) {
  Report report = report_with({Verdict::pass});
  report.targets[0].is_complete = false;
  report.targets[0].planned = 7;
  EXPECT_THAT(human_report(report, Registry()), HasSubstr("interrupted, 1 of 7 tests were run"));
  EXPECT_THAT(ktap_report(report), AllOf(HasSubstr("# interrupted: 1 of 7"), HasSubstr("not ok 1 t")));
  EXPECT_THAT(junit_report(report, Registry()), HasSubstr("interrupted: 1 of 7"));
}

TEST(Junit, holds_no_character_that_xml_forbids) {
  Report report = report_with({Verdict::fail});
  report.targets[0].results[0].message = "a\x01<&>\"\xff\xc3\xa9\xed\xa0\x80\n";
  const std::string xml = junit_report(report, Registry());
  EXPECT_THAT(xml, HasSubstr("a\\x01&lt;&amp;&gt;&quot;\xef\xbf\xbd\xc3\xa9"));
  EXPECT_EQ(xml.find('\x01'), std::string::npos);
  EXPECT_EQ(xml.find('\xff'), std::string::npos);
  EXPECT_EQ(xml.find("\xed\xa0"), std::string::npos);
}

TEST(Ktap, a_reason_cannot_break_the_line_or_the_directive) {
  Report report = report_with({Verdict::skip});
  report.targets[0].results[0].message = "two\nlines # and a hash";
  EXPECT_THAT(ktap_report(report), HasSubstr("ok 1 test_0 # SKIP two lines % and a hash\n"));
}

TEST(Compare, names_the_place_of_each_difference) {
  const json a = {{"caps", {{"X", 1}, {"Y", 2}}}, {"msrs", {1, 2, 3}}, {"cpuid", {{{"function", 1}, {"eax", 5}}}}};
  const json b = {{"caps", {{"X", 1}, {"Z", 2}}}, {"msrs", {1, 3}}, {"cpuid", {{{"function", 1}, {"eax", 6}}}}};
  const std::string text = json_differences(a, b);
  EXPECT_THAT(text, AllOf(HasSubstr("caps.Y: 2 | -"), HasSubstr("caps.Z: - | 2"), HasSubstr("msrs.2: 2 | -"),
                          HasSubstr("cpuid.function=1.eax: 5 | 6"), Not(HasSubstr("caps.X"))));
  EXPECT_EQ(json_differences(a, a), "");
}

TEST(Compare, tells_verdicts_that_changed_and_tests_that_are_on_one_side) {
  using enum Verdict;
  const std::string text = differences(target_with({pass, pass, skip}), target_with({pass, fail}));
  EXPECT_EQ(text, "results\n  vm.a.test_1: pass | fail\n  vm.a.test_2: skip | -\n");
}

}  // namespace
}  // namespace conformance
