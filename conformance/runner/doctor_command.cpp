// The doctor. See doctor_command.hpp.
#include "conformance/runner/doctor_command.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "conformance/runner/standard_output.hpp"
#include "conformance/runner/targets.hpp"

namespace conformance {
namespace {

using nlohmann::json;

json to_json(const Implementation& implementation, const FirstContact& contact,
             const std::vector<MissingCap>& missing) {
  json out{{"target", implementation.target.name},
           {"usable", contact.diagnosis.is_usable},
           {"reason", contact.diagnosis.reason},
           {"remedy", contact.diagnosis.remedy},
           {"device", implementation.target.device},
           {"backend", contact.backend_name},
           {"kernel", implementation.target.kernel_release},
           {"modules", implementation.modules},
           {"vendor", name(contact.vendor)},
           {"missing_capabilities", json::array()}};
  for (const MissingCap& cap : missing) {
    out["missing_capabilities"].push_back({{"name", std::string(c_name(cap.cap))}, {"tests", cap.tests}});
  }
  return out;
}

std::string to_text(const Implementation& implementation, const FirstContact& contact,
                    const std::vector<MissingCap>& missing) {
  std::string out = fmt::format("{}: {}\n", implementation.target.name,
                                contact.diagnosis.is_usable ? "usable" : "not usable: " + contact.diagnosis.reason);
  if (!contact.diagnosis.is_usable) {
    std::string remedy = contact.diagnosis.remedy;
    for (std::size_t at = 0; (at = remedy.find('\n', at)) != std::string::npos; at += 12)
      remedy.replace(at, 1, "\n           ");
    if (!remedy.empty()) out += fmt::format("  remedy   {}\n", remedy);
    return out;
  }
  if (!implementation.modules.empty()) out += fmt::format("  module   {}\n", implementation.modules);
  out += fmt::format("  backend  {}\n  kernel   {}\n  vendor   {}\n", contact.backend_name,
                     implementation.target.kernel_release, name(contact.vendor));
  if (missing.empty()) return out + "  every capability that a test needs is there\n";
  out += "  capabilities that tests need and that are not there:\n";
  for (const MissingCap& cap : missing) {
    out += fmt::format("    {:<40} {} test{}\n", c_name(cap.cap), cap.tests, cap.tests == 1 ? "" : "s");
  }
  return out;
}

}  // namespace

std::vector<MissingCap> missing_caps(const Registry& registry, const std::set<unsigned>& present) {
  std::map<unsigned, std::size_t> counts;
  for (const Test& test : registry.tests()) {
    std::set<unsigned> needed;
    for (const CapList* list : {&test.needs.cap, &test.needs.vm_cap}) {
      for (Cap cap : *list) needed.insert(static_cast<unsigned>(cap));
    }
    for (unsigned cap : needed) {
      if (!present.contains(cap)) ++counts[cap];
    }
  }
  std::vector<MissingCap> missing;
  for (const auto& [cap, tests] : counts) missing.push_back({static_cast<Cap>(cap), tests});
  return missing;
}

int doctor_command(const std::vector<std::string>& targets, const std::string& profile, bool is_json,
                   const ProgramSetup& setup) {
  json all = json::array();
  std::string text;
  int status = kAsExpected;
  for (const std::string& name : targets) {
    std::string error;
    const auto implementation = implementation_for(name, profile, setup, error);
    if (!implementation) {
      fmt::print(stderr, "kvm-conformance: {}\n", error);
      return kUsage;
    }
    const FirstContact contact = make_contact(*implementation);
    const bool is_usable = contact.diagnosis.is_usable;
    const auto missing = is_usable ? missing_caps(*setup.registry, contact.capabilities) : std::vector<MissingCap>{};
    all.push_back(to_json(*implementation, contact, missing));
    text += to_text(*implementation, contact, missing);
    if (!is_usable) status = kNotAvailable;
  }
  const int printed = print(is_json ? all.dump(1) + "\n" : text);
  return printed != kAsExpected ? printed : status;
}

}  // namespace conformance
