// kvmmock: runs a program with a KVM that needs no hardware. It sets up the environment that session.hpp describes,
// puts the library first in LD_PRELOAD and becomes the program: exit status, signals and process id are the program's.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "mock/preload/launcher/program.hpp"
#include "mock/preload/launcher/settings.hpp"

namespace {

namespace fs = std::filesystem;

// As the shell and env(1) do.
constexpr int kUsage = 2, kCanNotRun = 126, kNotFound = 127;

int fail(int status, const std::string& message) {
  std::cerr << "kvmmock: " << message << "\n";
  return status;
}

// Beside this program in a build tree, in ../lib in an install tree; KVMMOCK_LIBRARY overrides.
std::string find_library() {
  if (const char* given = std::getenv("KVMMOCK_LIBRARY")) return given;
  std::error_code ignored;
  const fs::path here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& folder : {here, here / "../lib", here / "../lib" / KVMMOCK_LIBRARY_ARCHITECTURE}) {
    const fs::path candidate = folder / "libkvmmock-preload.so";
    if (fs::exists(candidate, ignored)) return fs::canonical(candidate, ignored).string();
  }
  return {};
}

void put_first_in_preload(const std::string& library) {
  std::string value = KVMMOCK_SANITIZER_RUNTIME;  // a sanitizer's runtime must come before everything
  if (!value.empty()) value += ":";
  value += library;
  const char* before = std::getenv("LD_PRELOAD");
  if (before != nullptr && *before != '\0') value += std::string(":") + before;
  setenv("LD_PRELOAD", value.c_str(), 1);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "kvmmock [OPTIONS] [--] PROGRAM [ARGS...]\nRuns PROGRAM with a mock /dev/kvm: no hardware, no kernel module, no "
      "root.",
      "kvmmock"};
  app.footer(
      "Exit status: the program's; 2 wrong usage, 126 the program can not be run under the mock, 127 it was not "
      "found.\n"
      "Example: kvmmock --trace -- ./my-vmm --memory 64");
  mock::preload::Settings settings;
  app.add_option("--profile", settings.profile, "Which kernel the mock answers as; `--profile list` prints the names");
  app.add_option("--backend", settings.backend, "`mock`, or the path of a real KVM device to serve (and trace) instead")
      ->capture_default_str();
  app.add_option("--device", settings.device, "The path that the program opens")->capture_default_str();
  app.add_flag("--trace{-}", settings.trace,
               "Write every call and exit with its fields and timing, one line each, to standard error, or to FILE "
               "with --trace=FILE");
  app.add_option("--trace-format", settings.trace_format, "`text`, or `json` for JSON lines")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : kUsage;
  }
  std::vector<std::string> command = app.remaining();
  if (!command.empty() && command.front() == "--") {
    command.erase(command.begin());
  } else if (!command.empty() && command.front().starts_with('-')) {
    return fail(kUsage, "unknown option " + command.front() + "; --help lists them");
  }
  if (settings.profile == "list") {
    for (const std::string& name : mock::preload::profile_names()) std::cout << name << "\n";
    return std::cout.flush() ? 0 : fail(1, "can not write the list");
  }
  if (const std::string reason = mock::preload::why_wrong(settings); !reason.empty()) return fail(kUsage, reason);
  if (command.empty()) return fail(kUsage, "no program named. Usage: kvmmock [OPTIONS] [--] PROGRAM [ARGS...]");

  const auto program = mock::preload::find_program(command.front());
  if (!program) return fail(kNotFound, command.front() + ": no such program");
  if (const auto reason = mock::preload::why_unreachable(*program)) return fail(kCanNotRun, *reason);
  const std::string library = find_library();
  if (library.empty()) {
    return fail(kCanNotRun, "libkvmmock-preload.so was not found beside this program; set KVMMOCK_LIBRARY to its path");
  }
  mock::preload::to_environment(settings);
  put_first_in_preload(library);

  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program->c_str(), arguments.data());
  return fail(kCanNotRun, *program + ": " + std::strerror(errno));
}
