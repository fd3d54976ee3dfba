// For every deliberate breakage of the mock (mock/faults/defects.def): a test of the suite that passes on the mock
// fails on the broken mock.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "conformance/selftest/command.hpp"

namespace conformance {
namespace {

using nlohmann::json;

struct Defect {
  const char* name;
  const char* filter;  // the part of the suite that should notice
};

constexpr Defect kDefects[] = {
    {"api_version_is_13", "system.get_api_version"},
    {"unknown_extension_is_einval", "system.check_extension"},
    {"mmap_size_is_two_pages", "system.get_vcpu_mmap_size"},
    {"unknown_vm_ioctl_is_einval", "vm.unknown_ioctl"},
    {"duplicate_vcpu_id_is_einval", "vm.create_vcpu"},
    {"overlap_is_accepted", "vm.set_user_memory_region"},
    {"absent_slot_delete_succeeds", "vm.set_user_memory_region"},
    {"dirty_bitmap_off_by_one", "vm.get_dirty_log"},
    {"dirty_log_is_not_cleared", "vm.get_dirty_log"},
    {"readonly_slot_takes_writes", "run.readonly_slot"},
    {"missing_page_is_mmio", "run.missing_host_memory"},
    {"rflags_bit1_not_forced", "vcpu.set_regs"},
    {"sregs_accepts_long_mode_without_pae", "vcpu.set_sregs"},
    {"sregs_loses_cr2", "vcpu.set_sregs"},
    {"cpuid_e2big_updates_nent", "system.get_supported_cpuid"},
    {"set_msrs_continues_after_bad_index", "vcpu.set_msrs"},
    {"mp_state_accepts_halted_without_lapic", "vcpu.set_mp_state"},
    {"fpu_loses_xmm15", "vcpu.set_fpu"},
    {"run_ignores_argument", "run.argument"},
    {"immediate_exit_runs_guest", "run.immediate_exit"},
    {"immediate_exit_skips_completion", "run.completion_by_immediate_exit"},
    {"immediate_exit_writes_exit_reason", "run.immediate_exit"},
    {"signal_exit_reason_stale", "run.signal"},
    {"dirty_regs_not_cleared", "run.sync_regs"},
    {"valid_regs_not_stored", "run.sync_regs"},
    {"bad_sync_bits_accepted", "run.sync_regs"},
    {"out_without_rip_advance", "run.out"},
    {"in_data_ignored", "run.in"},
    {"io_size_is_wrong", "run.out"},
    {"mmio_read_data_ignored", "run.mmio_read"},
    {"mmio_write_flag_missing", "run.mmio_write"},
    {"hlt_rip_not_advanced", "run.hlt"},
    {"shutdown_is_hlt", "run.shutdown"},
};

// Verdicts by id. A target that is refused from the start has none, but "target" with the reason.
std::map<std::string, std::string> verdicts(const std::string& profile, const std::string& filter) {
  const CommandResult result =
      run_command_line({DEFECTS_PROGRAM, "run", "--target", "mock", "--profile", profile, "--filter", filter,
                        "--timeout", "3", "--format", "json", "--no-facts"});
  const json document = json::parse(result.out, nullptr, false);
  EXPECT_TRUE(document.is_object()) << result.err;
  std::map<std::string, std::string> by_id;
  if (!document.is_object()) return by_id;
  const json& target = document["targets"][0];
  if (target.contains("unavailable")) by_id["target"] = target["unavailable"];
  for (const json& test : target["results"]) by_id[test["id"]] = test["verdict"];
  return by_id;
}

class Defects : public ::testing::TestWithParam<Defect> {};

TEST_P(Defects, is_noticed) {
  const auto sound = verdicts("6.12", GetParam().filter);
  const auto broken = verdicts(std::string("6.12!") + GetParam().name, GetParam().filter);
  std::string passing, noticing = broken.contains("target") ? "refused: " + broken.at("target") : "";
  for (const auto& [id, verdict] : sound) {
    if (verdict != "pass") continue;
    passing += " " + id;
    const auto other = broken.find(id);
    if (other != broken.end() && other->second == "fail") noticing += " " + id;
  }
  EXPECT_NE(passing, "") << "nothing in " << GetParam().filter << " passes on the sound mock";
  EXPECT_NE(noticing, "") << "no test of " << GetParam().filter << " fails";
  RecordProperty("noticed_by", noticing);
}

INSTANTIATE_TEST_SUITE_P(Mock, Defects, ::testing::ValuesIn(kDefects),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(DefectTable, has_every_defect_of_the_mock) {
  const CommandResult result = run_command_line({DEFECTS_PROGRAM, "run", "--target", "mock", "--profile", "6.12!?"});
  const auto colon = result.err.find("there are:");
  ASSERT_NE(colon, std::string::npos) << result.err;
  std::istringstream words(result.err.substr(colon + 10));
  const std::set<std::string> known{std::istream_iterator<std::string>(words), {}};
  std::set<std::string> here;
  for (const Defect& defect : kDefects) here.insert(defect.name);
  EXPECT_EQ(here, known);
}

}  // namespace
}  // namespace conformance
