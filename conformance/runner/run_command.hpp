// `kvm-conformance run`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conformance/runner/program.hpp"
#include "conformance/runner/reporters.hpp"
#include "conformance/runner/selection.hpp"

namespace conformance {

enum class Require { unset, automatic, on, off };

struct RunOptions {
  std::vector<std::string> targets;  // none: the mock, and /dev/kvm if it is usable
  std::string profile;
  Selection selection;
  std::string skip_file;
  double timeout_s = 60;
  unsigned jobs = 0;  // 0: one per CPU
  Format format = Format::human;
  std::string output;
  std::string expectations_file;
  std::string expectations_name;
  Require require = Require::unset;
  int progress_fd = -1;
  bool is_quiet = false;
  bool has_facts = true;
};

int run_command(const RunOptions& options, const ProgramSetup& setup);

}  // namespace conformance
