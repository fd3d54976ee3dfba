// JUnit XML. Characters that XML 1.0 cannot hold at all become "\xNN"; what is not UTF-8 becomes U+FFFD.
#include <fmt/format.h>

#include "conformance/runner/reporters.hpp"

namespace conformance {
namespace {

// Length of the valid UTF-8 sequence at the start, 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) > 0x9f) return 0;                   // surrogates
  if (first == 0xef && at(1) == 0xbf && at(2) > 0xbd) return 0;  // U+FFFE, U+FFFF
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) > 0x8f) return 0;
  return length;
}

std::string escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\n' || c == '\t') {
      out += fmt::format("&#{};", static_cast<int>(c));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

std::string test_case(const TestResult& result, const Registry& registry) {
  const auto dot = result.id.rfind('.');
  std::string out = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6f}\"",
                                escape(result.id.substr(0, dot)), escape(result.id.substr(dot + 1)), result.seconds);
  if (const Test* test = registry.find(result.id))
    out += fmt::format(" file=\"{}\" line=\"{}\"", escape(test->file), test->line);
  const auto child = [&](const char* element, const std::string& message, const std::string& text) {
    return fmt::format(">\n      <{0} message=\"{1}\">{2}</{0}>\n    </testcase>\n", element,
                       escape(first_line(message)), escape(text));
  };
  switch (result.verdict) {
    case Verdict::pass:
      return out + "/>\n";
    case Verdict::fail:
    case Verdict::xpass:
      return out + child("failure", result.message, result.message);
    case Verdict::broken:
      return out + child("error", result.message, result.message);
    case Verdict::skip:
      return out + child("skipped", result.message, "");
    case Verdict::xfail:
      return out + child("skipped", "known deviation: " + result.expectation, result.message);
  }
  return out;
}

}  // namespace

std::string junit_report(const Report& report, const Registry& registry) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const TargetReport& target : report.targets) {
    const Tally counts = tally(target);
    const bool is_missing = !target.unavailable.empty();
    out += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\" "
        "timestamp=\"{}\">\n",
        escape(target.name), counts.total() + (is_missing ? 1 : 0), counts[Verdict::fail] + counts[Verdict::xpass],
        counts[Verdict::broken] + (is_missing && target.is_required ? 1 : 0),
        counts[Verdict::skip] + counts[Verdict::xfail] + (is_missing && !target.is_required ? 1 : 0), target.seconds,
        escape(report.started_at));
    out += fmt::format(
        "    <properties>\n      <property name=\"implementation\" value=\"{}\"/>\n      <property name=\"kernel\" "
        "value=\"{}\"/>\n    </properties>\n",
        escape(target.implementation), escape(target.kernel_release));
    if (is_missing) {
      out += fmt::format(
          "    <testcase classname=\"target\" name=\"is_available\" time=\"0\">\n      <{0} message=\"{1}\"/>\n    "
          "</testcase>\n",
          target.is_required ? "error" : "skipped", escape(target.unavailable));
    }
    for (const TestResult& result : target.results) out += test_case(result, registry);
    if (!is_missing && !target.is_complete) {
      out += fmt::format("    <system-err>interrupted: {} of {} tests were run</system-err>\n", target.results.size(),
                         target.planned);
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace conformance
