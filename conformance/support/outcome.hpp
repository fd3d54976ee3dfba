// What became of a test: the raw ending that a worker saw, and the verdict once expectations are taken into account.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace conformance {

// How a test ended, before anybody asked whether that was expected.
enum class Ending : unsigned char { pass, fail, skip, broken };

// pass, fail, skip; xfail: failed as its expectations file says; xpass: passed although listed there (counts as a
// failure); broken: our own set-up failed, so nothing was learnt.
enum class Verdict : unsigned char { pass, fail, skip, xfail, xpass, broken };
inline constexpr std::array kEveryVerdict = {Verdict::pass,  Verdict::fail,  Verdict::skip,
                                             Verdict::xfail, Verdict::xpass, Verdict::broken};

const char* name(Ending ending);
const char* name(Verdict verdict);
std::optional<Ending> ending_from_name(std::string_view name);
std::optional<Verdict> verdict_from_name(std::string_view name);
// fail and xpass: what makes a run end with status 1.
constexpr bool is_failure(Verdict verdict) { return verdict == Verdict::fail || verdict == Verdict::xpass; }

struct TestEnd {
  std::string id;
  Ending ending = Ending::broken;
  std::string message;  // why; of a pass: what the test noted by SUCCEED()
  double seconds = 0;
};

struct TestResult {
  std::string id;
  Verdict verdict = Verdict::broken;
  std::string message;      // what was seen; of a pass: what the test noted
  std::string expectation;  // xfail and xpass: the reason in the expectations file
  double seconds = 0;
};

}  // namespace conformance
