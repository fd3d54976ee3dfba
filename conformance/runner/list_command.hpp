// `kvm-conformance list` and `kvm-conformance explain ID`.
#pragma once

#include <string>
#include <vector>

#include "conformance/runner/program.hpp"

namespace conformance {

int list_command(const std::vector<std::string>& filters, bool is_json, const ProgramSetup& setup);
int explain_command(const std::string& id, const ProgramSetup& setup);

}  // namespace conformance
