// `kvm-conformance report FILE...`: one report from result files, as if one run had had all their targets.
#pragma once

#include <string>
#include <vector>

#include "conformance/runner/reporters.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

// Exit status as of `run`. `output`: file to write the report to; a summary for people then goes to standard output.
// Empty: none.
int report_command(const std::vector<std::string>& paths, Format format, const std::string& output,
                   const Registry& registry);

}  // namespace conformance
