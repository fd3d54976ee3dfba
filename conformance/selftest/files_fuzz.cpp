// Fuzzer: what people hand to kvm-conformance: expectations files, result files, command lines. Impossible: a crash, a
// hang, an exception other than the one that names what is wrong. Driven as those of mock/fuzz.
//
// The first byte of an input says what the rest is. Command lines never get to a real target.
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/compare_command.hpp"
#include "conformance/runner/program.hpp"
#include "conformance/runner/report_file.hpp"
#include "conformance/runner/reporters.hpp"
#include "conformance/support/expectations.hpp"

namespace conformance {
namespace {

// A file in memory that can be named.
class NamedText {
 public:
  explicit NamedText(std::string_view text) : descriptor_(memfd_create("input", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      std::abort();
  }
  ~NamedText() { ::close(descriptor_); }
  NamedText(const NamedText&) = delete;
  NamedText& operator=(const NamedText&) = delete;
  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

const Registry& some_tests() {
  static const Registry registry = [] {
    Registry r;
    r.add({.id = "vm.create_vcpu.works", .source = "api.rst 4.7", .needs = {}, .body = {}, .describe = {}});
    r.add({.id = "run.hlt.exits", .source = "api.rst 5", .needs = {}, .body = {}, .describe = {}});
    r.sort();
    return r;
  }();
  return registry;
}

void read_expectations(std::string_view text) {
  Expectations expectations;
  expectations.add(text, "input.txt");
  expectations.check_against(some_tests().tests());
  for (const char* id : {"vm.create_vcpu.works", "run.hlt.exits", ""})
    for (const Ending ending : {Ending::pass, Ending::fail, Ending::skip, Ending::broken})
      expectations.judge({.id = id, .ending = ending, .message = "m"});
}

void read_results(std::string_view text) {
  const NamedText file(text);
  Report report;
  try {
    report = read_report(file.path());
  } catch (const std::runtime_error&) {
    return;
  }
  for (const Format format : {Format::human, Format::ktap, Format::junit, Format::json})
    render(format, report, some_tests());
  exit_status(report);
  // What was written is read as the same.
  const nlohmann::json once = to_json(report, some_tests());
  if (to_json(report_from_json(once), some_tests()) != once) std::abort();
  for (const TargetReport& target : report.targets)
    if (!differences(target, target).empty()) std::abort();
}

// Two texts, apart at the first NUL.
void compare_files(std::string_view text) {
  const std::size_t cut = std::min(text.find('\0'), text.size());
  const NamedText a(text.substr(0, cut)), b(text.substr(std::min(cut + 1, text.size())));
  compare_command(a.path(), b.path(), "");
  report_from_json(nlohmann::json::object());
}

bool is_harmless(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments)
    if (argument.find("kvm") != std::string::npos || argument.find('/') != std::string::npos || argument == "doctor")
      return false;
  return true;
}

// Arguments, one per line.
void parse_command_line(std::string_view text) {
  std::vector<std::string> arguments = {"kvm-conformance"};
  for (std::size_t begin = 0; begin < text.size() && arguments.size() < 16;) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    arguments.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::vector<std::string> given(arguments.begin() + 1, arguments.end());
  if (!is_harmless(given)) return;
  if (arguments.size() > 1 && arguments[1] == "run") arguments.insert(arguments.begin() + 2, {"--target", "mock"});
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  static Registry registry = some_tests();
  ProgramSetup setup;
  setup.registry = &registry;
  setup.profiles = {"6.12"};
  setup.has_linked_in_expectations = false;
  setup.make_mock = [](const std::string&, std::string& error) {
    error = "there is no mock here";
    return std::optional<Implementation>();
  };
  const int status = program(static_cast<int>(argv.size()), argv.data(), setup);
  if (status < kAsExpected || status > kNotAvailable) std::abort();
}

// Options may name files to write: in a folder of our own.
void go_to_own_folder() {
  std::string folder = "/tmp/fuzz-files-XXXXXX";
  if (!mkdtemp(folder.data()) || chdir(folder.c_str()) != 0) std::abort();
}

}  // namespace
}  // namespace conformance

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace conformance;
  static const bool is_ready = (go_to_own_folder(), true);
  if (!is_ready || size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      read_expectations(text);
      break;
    case 1:
      read_results(text);
      break;
    case 2:
      try {
        compare_files(text);
      } catch (const std::runtime_error&) {
      }
      break;
    default:
      parse_command_line(text);
  }
  return 0;
}
