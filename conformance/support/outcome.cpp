// Names of endings and verdicts. See outcome.hpp.
#include "conformance/support/outcome.hpp"

namespace conformance {

const char* name(Ending ending) {
  switch (ending) {
    case Ending::pass:
      return "pass";
    case Ending::fail:
      return "fail";
    case Ending::skip:
      return "skip";
    case Ending::broken:
      return "broken";
  }
  return "?";
}

const char* name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "fail";
    case Verdict::skip:
      return "skip";
    case Verdict::xfail:
      return "xfail";
    case Verdict::xpass:
      return "xpass";
    case Verdict::broken:
      return "broken";
  }
  return "?";
}

std::optional<Ending> ending_from_name(std::string_view text) {
  for (Ending ending : {Ending::pass, Ending::fail, Ending::skip, Ending::broken}) {
    if (text == name(ending)) return ending;
  }
  return std::nullopt;
}

std::optional<Verdict> verdict_from_name(std::string_view text) {
  for (Verdict verdict : kEveryVerdict) {
    if (text == name(verdict)) return verdict;
  }
  return std::nullopt;
}

}  // namespace conformance
