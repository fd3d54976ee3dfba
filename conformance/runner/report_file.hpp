// Result files, as `run --format json` and the lab write them.
#pragma once

#include <string>

#include "conformance/runner/report.hpp"

namespace conformance {

// Throws std::runtime_error naming the file and what is wrong with it.
Report read_report(const std::string& path);

}  // namespace conformance
