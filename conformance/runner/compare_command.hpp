// `kvm-conformance compare A.json B.json`.
#pragma once

#include <string>

#include "conformance/runner/report.hpp"

namespace conformance {

// What differs between two targets: verdicts, then the facts. Empty if nothing does.
std::string differences(const TargetReport& a, const TargetReport& b);

// Differences of two JSON documents, one line per place: "capabilities.KVM_CAP_XSAVE2: 4096 | 0".
std::string json_differences(const nlohmann::json& a, const nlohmann::json& b);

// `target`: which one of each file; "" = the first one that was run. Status 0: no difference, 1: some, 2: unusable
// file.
int compare_command(const std::string& path_a, const std::string& path_b, const std::string& target);

}  // namespace conformance
