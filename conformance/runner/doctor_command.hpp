// `kvm-conformance doctor`: is KVM usable here, why not, and what would the suite miss.
#pragma once

#include <string>
#include <vector>

#include "conformance/runner/probe.hpp"
#include "conformance/runner/program.hpp"

namespace conformance {

// Status 0 when every target is usable, 4 otherwise.
int doctor_command(const std::vector<std::string>& targets, const std::string& profile, bool is_json,
                   const ProgramSetup& setup);

// A capability that tests need and the target does not have.
struct MissingCap {
  Cap cap;
  std::size_t tests = 0;  // that will be skipped for it
};
std::vector<MissingCap> missing_caps(const Registry& registry, const std::set<unsigned>& present);

}  // namespace conformance
