// Reporters: a finished run as text. Each is a pure function of the report.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "conformance/runner/report.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

enum class Format { human, ktap, junit, json };
std::optional<Format> format_from_name(std::string_view name);

// Failures explained, skips by reason, then the table: areas down, targets across.
std::string human_report(const Report& report, const Registry& registry);
// KTAP version 1 (Documentation/dev-tools/ktap.rst): one sub-test per target, one per suite below it, then the claims.
std::string ktap_report(const Report& report);
// JUnit XML as Jenkins and GitLab read it: a testsuite per target.
std::string junit_report(const Report& report, const Registry& registry);
std::string json_report(const Report& report, const Registry& registry);

std::string render(Format format, const Report& report, const Registry& registry);

// Only the table of human_report().
std::string table(const Report& report);

}  // namespace conformance
