// What there is, and what one test is about. See list_command.hpp.
#include "conformance/runner/list_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "conformance/runner/in_child.hpp"
#include "conformance/runner/probe.hpp"
#include "conformance/runner/run_one.hpp"
#include "conformance/runner/selection.hpp"
#include "conformance/runner/standard_output.hpp"
#include "conformance/support/expectations.hpp"

namespace conformance {
namespace {

using nlohmann::json;

struct Deviation {
  std::string implementation;
  std::string reason;
};

struct NamedExpectations {
  std::string name;
  Expectations expectations;
};

const std::vector<NamedExpectations>& linked_in() {
  static const auto all = [] {
    std::vector<NamedExpectations> files;
    for (const std::string_view name : linked_in_expectation_names()) {
      files.push_back({std::string(name), {}});
      files.back().expectations.add(linked_in_expectations(name).value_or(""), std::string(name));
    }
    return files;
  }();
  return all;
}

std::vector<Deviation> known_deviations(const std::string& id) {
  std::vector<Deviation> found;
  for (const NamedExpectations& file : linked_in()) {
    if (const auto* line = file.expectations.find(id)) found.push_back({file.name, line->reason});
  }
  return found;
}

json to_json(const Test& test) {
  json out{{"id", test.id},     {"source", test.source}, {"status", name(test.status)}, {"needs", text(test.needs)},
           {"file", test.file}, {"line", test.line}};
  for (const Deviation& deviation : known_deviations(test.id))
    out["deviations"][deviation.implementation] = deviation.reason;
  return out;
}

std::string block(const char* head, const std::string& text) {
  std::string out;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const auto end = std::min(text.find('\n', begin), text.size());
    out += fmt::format("{:<12} {}\n", begin == 0 ? head : "", text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// The calls of the test as the mock saw them: what the code of a row amounts to, decoded.
std::string calls_on_the_mock(const Test& test, const ProgramSetup& setup) {
  std::string error;
  const auto mock = setup.make_mock ? setup.make_mock("", error) : std::nullopt;
  if (!mock) return "";
  const Vendor vendor = make_contact(*mock).vendor;
  const ChildAnswer answer = ask_in_child(
      [&] {
        const auto backend = mock->make_backend();
        kvmapi::TracedBackend trace(*backend);
        Target target = mock->target;
        target.backend = &trace;
        target.vendor = vendor;
        const TestEnd end = run_one(test, target, &trace);
        if (end.ending == Ending::skip) return "skipped: " + end.message;
        return shown_calls(trace, 40) + "\n" + name(end.ending);
      },
      std::chrono::seconds(10));
  return answer.is_ok ? answer.text : "";
}

// "vm.create_vcpu.twice_is_eexist" -> "twice is eexist"; a mode that follows is set off by a comma.
std::string sentence(const std::string& id) {
  std::string words;
  for (char c : id.substr(id.find('.', id.find('.') + 1) + 1))
    words += c == '_' ? " " : c == '.' ? ", " : std::string(1, c);
  return words;
}

}  // namespace

int list_command(const std::vector<std::string>& filters, bool is_json, const ProgramSetup& setup) {
  const auto wrong = unmatched(*setup.registry, filters);
  if (!wrong.empty()) {
    fmt::print(stderr, "kvm-conformance: no test matches '{}'\n", wrong.front());
    return kUsage;
  }
  json all = json::array();
  std::string lines;
  for (const Test* test : select(*setup.registry, {.filters = filters})) {
    if (is_json) {
      all.push_back(to_json(*test));
    } else {
      lines += test->id + "\n";
    }
  }
  return print(is_json ? all.dump(1) + "\n" : lines);
}

int explain_command(const std::string& id, const ProgramSetup& setup) {
  const Test* test = setup.registry->find(id);
  if (test == nullptr) {
    fmt::print(stderr, "kvm-conformance: there is no test '{}'", id);
    const auto close = select(*setup.registry, {.filters = {id, "*" + id + "*"}});
    for (std::size_t i = 0; i < close.size() && i < 8; ++i)
      fmt::print(stderr, "{} {}", i == 0 ? "; did you mean" : ",", close[i]->id);
    fmt::print(stderr, "\n");
    return kUsage;
  }
  std::string out = block("id", test->id);
  out += block("claim", sentence(test->id));
  out += block("test", test->describe ? test->describe() : "");
  if (const std::string calls = calls_on_the_mock(*test, setup); !calls.empty()) out += block("on the mock", calls);
  const std::string needs = text(test->needs);
  out += block("needs", needs.empty() ? "nothing" : needs);
  out += block("source", fmt::format("{} ({})", test->source, name(test->status)));
  out += block("written at", fmt::format("{}:{}", test->file, test->line));
  std::string deviations;
  for (const Deviation& d : known_deviations(id)) {
    deviations += fmt::format("{}{}: {}", deviations.empty() ? "" : "\n", d.implementation, d.reason);
  }
  out += block("deviations", deviations.empty() ? "none known" : deviations);
  out += block("run it", fmt::format("kvm-conformance run --filter {}", id));
  return print(out);
}

}  // namespace conformance
