// Expect: matching and printing. See expect.hpp.
#include "conformance/support/expect.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conformance {

const char* name(Vendor vendor) {
  switch (vendor) {
    case Vendor::any:
      return "any";
    case Vendor::intel:
      return "intel";
    case Vendor::amd:
      return "amd";
    case Vendor::other:
      return "other";
  }
  return "?";
}

std::string Answer::text() const {
  return error == 0 ? fmt::format("{}", value) : fmt::format("-1 {}", kvmapi::Errno{error}.name());
}

bool Outcome::accepts(const Answer& answer) const {
  switch (kind) {
    case Kind::unset:
      return false;
    case Kind::any_success:
      return answer.error == 0 && answer.value >= 0;
    case Kind::value:
      return answer.error == 0 && answer.value == value;
    case Kind::error:
      return answer.error != 0 && std::ranges::count(errors, answer.error) != 0;
  }
  return false;
}

std::string Outcome::text() const {
  switch (kind) {
    case Kind::unset:
      return "nothing is said";
    case Kind::any_success:
      return "success";
    case Kind::value:
      return fmt::format("{}", value);
    case Kind::error:
      break;
  }
  std::string text;
  for (int error : errors) {
    if (error != 0) text += fmt::format("{}{}", text.empty() ? "-1 " : " or ", kvmapi::Errno{error}.name());
  }
  return text;
}

const Outcome& Expect::resolve(Version kernel, Vendor vendor) const {
  static constexpr Outcome kUnset;
  for (int i = 0; i < count_; ++i) {
    const Clause& clause = clauses_[i];
    if (clause.vendor != Vendor::any && clause.vendor != vendor) continue;
    if (clause.until.is_set() && kernel >= clause.until) continue;
    return clause.outcome;
  }
  return kUnset;
}

std::string Expect::text() const {
  std::string text;
  for (int i = 0; i < count_; ++i) {
    const Clause& clause = clauses_[i];
    if (i > 0) text += "; ";
    if (clause.vendor != Vendor::any) text += fmt::format("on {}: ", name(clause.vendor));
    if (clause.until.is_set()) text += fmt::format("before {}: ", clause.until.text());
    const bool is_rest = i > 0 && clause.vendor == Vendor::any && !clause.until.is_set();
    text += (is_rest ? "otherwise: " : "") + clause.outcome.text();
  }
  return text;
}

}  // namespace conformance
