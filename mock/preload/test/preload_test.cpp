// End to end: unmodified programs under the launcher, each in a process of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "mock/preload/test/run_program.hpp"

namespace mock::preload {
namespace {

using testing::HasSubstr;

const std::string kBinaries = BINARY_FOLDER;
const std::string kSources = SOURCE_FOLDER;
const std::string kLauncher = kBinaries + "/kvmmock";

std::vector<std::string> under_mock(const std::string& program, std::vector<std::string> options = {}) {
  std::vector<std::string> command = {kLauncher};
  command.insert(command.end(), options.begin(), options.end());
  command.insert(command.end(), {"--", kBinaries + "/preload_" + program});
  return command;
}

// Programs that are not ours leak what they like.
const std::vector<std::string> kForeign = {"ASAN_OPTIONS=detect_leaks=0"};

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct TemporaryFile {
  TemporaryFile() {
    const int fd = mkstemp(name.data());
    if (fd >= 0) close(fd);
  }
  ~TemporaryFile() { unlink(name.c_str()); }
  std::string name = "/tmp/kvmmock-test-XXXXXX";
};

// --- Programs

TEST(PreloadedProgram, with_immediate_exit_set_stops_with_interrupted_system_call) {
  const Outcome outcome = run_program(under_mock("article_immediate_exit"));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("KVM_RUN: Interrupted system call"));
}

// The signal comes at a random moment of a loop of HLT exits; not one may get lost.
void stop_by_sigusr1(const std::vector<std::string>& environment, int rounds) {
  std::mt19937 random(1);
  for (int round = 0; round < rounds; ++round) {
    RunningProgram program(under_mock("article_sigusr1"), environment);
    // What it prints comes only when it ends; that it has set its handler is seen from outside.
    const std::string status = "/proc/" + std::to_string(program.pid()) + "/status";
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    const auto catches_sigusr1 = [&] {
      const std::string text = text_of(status);
      const std::size_t at = text.find("SigCgt:");
      return at != std::string::npos && (std::strtoull(text.c_str() + at + 7, nullptr, 16) >> (SIGUSR1 - 1) & 1);
    };
    while (!catches_sigusr1() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    program.send(SIGUSR1);
    const Outcome outcome = program.wait(std::chrono::seconds(20));
    ASSERT_EQ(outcome.status, 1) << "round " << round << ": " << outcome.err;
    ASSERT_THAT(outcome.err, HasSubstr("KVM_RUN: Interrupted system call")) << "round " << round;
  }
}

// A sanitized program starts ten times slower; the release build makes the thousand.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRounds = 100;
#else
constexpr int kRounds = 1000;
#endif

TEST(PreloadedProgram, in_a_hlt_loop_stops_on_sigusr1_every_time) { stop_by_sigusr1({}, kRounds); }

TEST(PreloadedProgram, in_a_hlt_loop_stops_on_sigusr1_with_blocked_signals_too) {
  stop_by_sigusr1({"KVMMOCK_SIGNALS=block"}, kRounds / 10);
}

TEST(PreloadedProgram, may_run_four_vcpus_on_threads) {
  const Outcome outcome = run_program(under_mock("multi_vcpu"));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "counter 80000 of 80000\n");
}

TEST(PreloadedProgram, may_back_guest_memory_by_anything) {
  const Outcome outcome = run_program(under_mock("backings"));
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

TEST(PreloadedProgram, may_pass_its_descriptors_over_a_socket) {
  const Outcome outcome = run_program(under_mock("pass_fds"));
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

TEST(PreloadedProgram, may_unmap_guest_memory_under_a_running_vcpu) {
  for (int round = 0; round < 20; ++round) {
    const Outcome outcome = run_program(under_mock("vanishing_memory"));
    ASSERT_EQ(outcome.status, 0) << outcome.out << outcome.err;
  }
}

TEST(PreloadedProgram, may_do_strange_things_to_descriptors) {
  const Outcome outcome = run_program(under_mock("strange_fds"));
  EXPECT_EQ(outcome.status, 0) << outcome.out << outcome.err;
}

TEST(PreloadedProgram, may_be_written_in_python) {
  const Outcome outcome = run_program({kLauncher, "--", "python3", kSources + "/hello.py"}, kForeign);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "Hello\n");
}

TEST(PreloadedProgram, that_does_not_use_kvm_is_not_touched) {
  const Outcome outcome = run_program({kLauncher, "--", "sh", "-c", "echo out; echo err >&2; exit 7"}, kForeign);
  EXPECT_EQ(outcome.status, 7);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
}

TEST(PreloadedProgram, finds_the_device_under_another_name) {
  const std::string ask = "import fcntl, os; print(fcntl.ioctl(os.open('/dev/other', os.O_RDWR), 0xae00, 0))";
  EXPECT_EQ(run_program({kLauncher, "--device", "/dev/other", "--", "python3", "-c", ask}, kForeign).out, "12\n");
  const Outcome without = run_program({kLauncher, "--", "python3", "-c", ask}, kForeign);
  EXPECT_EQ(without.status, 1);
  EXPECT_THAT(without.err, HasSubstr("/dev/other"));
}

TEST(PreloadedProgram, answers_as_the_chosen_kernel) {
  const std::string ask = "import fcntl, os; k = os.open('/dev/kvm', os.O_RDWR); print(fcntl.ioctl(k, 0xae03, 10))";
  EXPECT_EQ(run_program({kLauncher, "--profile", "5.10", "--", "python3", "-c", ask}, kForeign).out, "509\n");
  EXPECT_EQ(run_program({kLauncher, "--profile", "6.12", "--", "python3", "-c", ask}, kForeign).out, "32764\n");
}

// --- Traces

TEST(PreloadedTrace, shows_calls_and_exits_by_field_name) {
  const TemporaryFile file;
  ASSERT_EQ(run_program(under_mock("backings", {"--trace=" + file.name})).status, 0);
  const std::string text = text_of(file.name);
  EXPECT_THAT(text, HasSubstr("KVM_CREATE_VM"));
  EXPECT_THAT(text, HasSubstr("guest_phys_addr=0x1000"));
  EXPECT_THAT(text, HasSubstr("port=0x3f8"));
  EXPECT_THAT(text, testing::ContainsRegex("<0\\.[0-9]+>\n"));
}

TEST(PreloadedTrace, is_json_a_line_when_asked) {
  const TemporaryFile file;
  ASSERT_EQ(run_program(under_mock("backings", {"--trace=" + file.name, "--trace-format", "json"})).status, 0);
  std::istringstream lines(text_of(file.name));
  int calls = 0, runs = 0;
  for (std::string line; std::getline(lines, line); ++calls) {
    const auto call = nlohmann::json::parse(line);
    EXPECT_TRUE(call.contains("duration_ns")) << line;
    if (line.find("KVM_RUN") != std::string::npos) ++runs;
  }
  EXPECT_GT(calls, 20);
  EXPECT_EQ(runs, 8);
}

// The real device through the same front, where there is one that opens.
TEST(PreloadedTrace, shows_the_calls_to_a_real_device_too) {
  if (access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "no usable /dev/kvm on this machine";
  const Outcome outcome = run_program(under_mock("article_immediate_exit", {"--backend", "/dev/kvm", "--trace"}));
  EXPECT_THAT(outcome.err, HasSubstr("KVM_RUN) = -1 EINTR"));
  EXPECT_THAT(outcome.err, HasSubstr("KVM_RUN: Interrupted system call"));
}

TEST(PreloadedTrace, goes_to_standard_error_without_a_file) {
  const Outcome outcome = run_program(under_mock("multi_vcpu", {"--trace"}));
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("KVM_CREATE_VCPU"));
}

TEST(PreloadedTrace, that_can_not_be_written_is_said) {
  const Outcome outcome = run_program(under_mock("multi_vcpu", {"--trace=/no/such/folder/trace"}));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("can not write the trace to /no/such/folder/trace: No such file or directory"));
}

// --- What leaves the library

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST(PreloadLibrary, exports_what_its_map_lists_and_nothing_else) {
  std::string map = text_of(kSources + "/../exports.map");
  const std::size_t begin = map.find("global:") + 7;
  map = map.substr(begin, map.find("local:") - begin);
  std::replace(map.begin(), map.end(), ';', ' ');
  const Outcome symbols =
      run_program({"nm", "-D", "--defined-only", "--format=posix", kBinaries + "/libkvmmock-preload.so"});
  std::istringstream lines(symbols.out);
  std::set<std::string> exported;
  for (std::string line; std::getline(lines, line);) exported.insert(line.substr(0, line.find_first_of(" @")));
  EXPECT_EQ(exported, words_of(map));
  EXPECT_GT(exported.size(), 30u);
}

// --- Launcher

TEST(Launcher, says_what_it_does) {
  const Outcome outcome = run_program({kLauncher, "--help"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("--trace-format"));
}

TEST(Launcher, wants_a_program) {
  const Outcome outcome = run_program({kLauncher});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no program named"));
}

TEST(Launcher, refuses_a_statically_linked_program_before_it_starts) {
  const Outcome outcome = run_program(under_mock("static"));
  EXPECT_EQ(outcome.status, 126);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("statically linked"));
}

TEST(Launcher, refuses_a_program_that_changes_its_user) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a program that belongs to another user";
  const std::string copy = kBinaries + "/preload_setuid";
  ASSERT_EQ(run_program({"cp", "/bin/true", copy}).status, 0);
  ASSERT_EQ(chown(copy.c_str(), 65534, 65534), 0);
  ASSERT_EQ(chmod(copy.c_str(), 04755), 0);
  const Outcome outcome = run_program({kLauncher, "--", copy}, kForeign);
  unlink(copy.c_str());
  EXPECT_EQ(outcome.status, 126);
  EXPECT_THAT(outcome.err, HasSubstr("set-user-ID"));
}

TEST(Launcher, names_the_profiles_when_one_is_unknown) {
  const Outcome outcome = run_program(under_mock("multi_vcpu", {"--profile", "2.6"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("unknown profile \"2.6\"; there are: "));
  EXPECT_THAT(outcome.err, HasSubstr("6.12"));
}

TEST(Launcher, says_when_there_is_no_such_program) {
  EXPECT_EQ(run_program({kLauncher, "--", "no-such-program"}, kForeign).status, 127);
  EXPECT_EQ(run_program({kLauncher, "--", "./no-such-program"}, kForeign).status, 127);
}

TEST(Launcher, passes_on_a_death_by_signal) {
  EXPECT_EQ(run_program({kLauncher, "--", "sh", "-c", "kill -TERM $$"}, kForeign).status, 128 + SIGTERM);
}

TEST(Launcher, refuses_wrong_options) {
  EXPECT_EQ(run_program({kLauncher, "--no-such-option", "--", "true"}, kForeign).status, 2);
  EXPECT_EQ(run_program({kLauncher, "--trace-format", "xml", "--", "true"}, kForeign).status, 2);
  EXPECT_EQ(run_program({kLauncher, "--backend", "elsewhere", "--", "true"}, kForeign).status, 2);
  EXPECT_EQ(run_program({kLauncher, "--device", "kvm", "--", "true"}, kForeign).status, 2);
}

}  // namespace
}  // namespace mock::preload
