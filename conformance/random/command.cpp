// See command.hpp. Exit status: 0 nothing differs without a named reason, 1 something does, 2 wrong usage, 3 our own
// set-up failed, 4 there is no such KVM.
#include "conformance/random/command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <functional>

#include "conformance/random/forms.hpp"
#include "conformance/random/reduce.hpp"
#include "conformance/random/report.hpp"
#include "kvmapi/kernel_backend.hpp"

namespace conformance::random {
namespace {

struct Options {
  u64 seed = 1, programs = 1000, first = 0, most = 100, each = 3;
  std::vector<std::string> modes, without_modes, families;
  std::string profile, against = "/dev/kvm", json;
  bool no_reduce = false, trace = false, list = false, new_vm = false;
  int progress_fd = -1;
  u64 progress_every = 32;
};

void print_exit(const Snapshot& a, const Snapshot& b) {
  fmt::print("{:<50} rflags {:08x} rsp {:x} | {:<50} rflags {:08x} rsp {:x}\n", describe_exit(a), a.regs.rflags,
             a.regs.rsp, describe_exit(b), b.regs.rflags, b.regs.rsp);
}

class Run {
 public:
  using MakeWorld = std::function<std::unique_ptr<World>()>;
  Run(const Options& options, std::vector<Mode> modes, u32 families, World& a, MakeWorld make_b)
      : options_(options), modes_(std::move(modes)), families_(families), a_(a), make_b_(std::move(make_b)) {}

  bool open() { return (b_ = make_b_()) != nullptr; }

  Summary all() {
    const auto started = std::chrono::steady_clock::now();
    s_.a = a_.name();
    s_.b = b_->name();
    s_.seed = options_.seed;
    s_.first = options_.first;
    start_watchdog(200);
    for (u64 i = 0; i < options_.programs && s_.different < options_.most && s_.broken < 10; ++i)
      one(options_.first + i);
    s_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return s_;
  }

 private:
  void one(u64 number) {
    const Mode mode = modes_[number % modes_.size()];
    if (options_.progress_fd >= 0 && (number - options_.first) % options_.progress_every == 0) {
      const std::string line = fmt::format("{}\n", number);
      if (write(options_.progress_fd, line.data(), line.size()) < 0) return;
    }
    const Program program = make_program({.seed = options_.seed, .mode = mode, .families = families_}, number);
    if (options_.list) std::fputs(list(program).c_str(), stdout);
    if (options_.new_vm && !open()) {
      ++s_.broken;
      return;
    }
    const Outcome outcome = run_in_both(a_, *b_, program, options_.trace ? print_exit : Watcher{});
    ++s_.programs;
    ++s_.by_mode[std::string(name(mode))];
    s_.exits += outcome.exits;
    for (const std::string_view limit : outcome.limits) ++s_.by_limit[std::string(limit)];
    switch (outcome.kind) {
      case Outcome::Kind::same:
        ++(outcome.limits.empty() ? s_.same : s_.limited);
        return;
      case Outcome::Kind::did_not_end:
        ++s_.did_not_end;
        return;
      case Outcome::Kind::broken:
        ++s_.broken;
        fmt::print("{}\n  {}\n", rerun_command(program), outcome.trouble);
        return;
      case Outcome::Kind::different:
        return difference(program, outcome);
    }
  }

  void difference(const Program& program, const Outcome& outcome) {
    ++s_.different;
    const std::string kind = kind_of(outcome);
    if (++s_.by_kind[kind] > options_.each) return;
    Finding finding{.program = program, .chunks_before = program.chunks.size(), .outcome = outcome};
    if (!options_.no_reduce) {
      finding.program = reduce(a_, *b_, program, outcome);
      if (const Outcome again = run_in_both(a_, *b_, finding.program); again.kind == Outcome::Kind::different)
        finding.outcome = again;
    }
    fmt::print("--- difference {}: {}\n{}", s_.different, kind, describe(finding));
    std::fflush(stdout);
  }

  const Options& options_;
  std::vector<Mode> modes_;
  u32 families_;
  World& a_;
  MakeWorld make_b_;
  std::unique_ptr<World> b_;
  Summary s_;
};

int usage(const std::string& message) {
  fmt::print(stderr, "kvm-random: {}\n", message);
  return 2;
}

std::unique_ptr<kvmapi::Backend> make_other(const Options& options, const CommandSetup& setup, std::string& error) {
  if (options.against == "mock" || options.against.starts_with("mock:"))
    return setup.make_mock(options.against == "mock" ? options.profile : options.against.substr(5), error);
  return std::make_unique<kvmapi::KernelBackend>();
}

int run(const Options& options, const CommandSetup& setup) {
  std::vector<Mode> modes;
  for (const std::string& text : options.modes) {
    const auto mode = mode_from_name(text);
    if (!mode) return usage(fmt::format("no mode {}; there are {}", text, mode_names()));
    modes.push_back(*mode);
  }
  if (modes.empty()) modes.assign(std::begin(kEveryMode), std::end(kEveryMode));
  for (const std::string& text : options.without_modes) {
    const auto mode = mode_from_name(text);
    if (!mode) return usage(fmt::format("no mode {}; there are {}", text, mode_names()));
    std::erase(modes, *mode);
  }
  if (modes.empty()) return usage("no mode is left");
  u32 families = options.families.empty() ? ~0u : 0;
  for (const std::string& text : options.families) {
    const auto family = family_from_name(text);
    if (!family) return usage(fmt::format("no family {}; there are {}", text, fmt::join(kFamilyNames, ", ")));
    families |= 1u << static_cast<unsigned>(*family);
  }
  std::string error;
  const auto mock = setup.make_mock(options.profile, error);
  if (!mock) return usage(error);
  const auto other = make_other(options, setup, error);
  if (!other) return usage(error);
  const auto a = World::make(*mock, nullptr, error);
  if (!a) return fmt::print(stderr, "kvm-random: {}\n", error), 3;
  const kvmapi::Cpuid cpuid = a->supported_cpuid();
  Run run(options, std::move(modes), families, *a, [&] { return World::make(*other, &cpuid, error); });
  if (!run.open()) return fmt::print(stderr, "kvm-random: {}\n", error), 4;
  const Summary summary = run.all();
  fmt::print("{}", to_text(summary));
  if (!options.json.empty()) {
    std::ofstream file(options.json);
    file << to_json(summary);
    file.close();
    if (!file) return fmt::print(stderr, "kvm-random: can not write {}\n", options.json), 3;
  }
  return summary.different ? 1 : summary.broken ? 3 : 0;
}

}  // namespace

int command(int argc, char** argv, const CommandSetup& setup) {
  Options options;
  CLI::App app(
      "Random guests on the mock and on a kernel's KVM, side by side: everything that can be seen is compared at every "
      "exit.");
  app.add_option("--seed", options.seed, "which programs (1)");
  app.add_option("--programs", options.programs, "how many (1000)");
  app.add_option("--first", options.first, "number of the first (0)");
  app.add_option("--mode", options.modes, fmt::format("only in these modes: {} (all)", mode_names()));
  app.add_option("--without-mode", options.without_modes, "but not in these");
  app.add_option("--family", options.families,
                 fmt::format("only of these families: {} (all)", fmt::join(kFamilyNames, ", ")));
  app.add_option("--profile", options.profile,
                 fmt::format("what the mock answers as: {}", fmt::join(setup.profiles, ", ")));
  app.add_option("--against", options.against, "the other side: a device, mock, or mock:PROFILE (/dev/kvm)");
  app.add_option("--most", options.most, "stop after so many differences (100)");
  app.add_option("--each", options.each, "print so many of each kind (3)");
  app.add_flag("--no-reduce", options.no_reduce, "print differences as they were found");
  app.add_flag("--new-vm", options.new_vm,
               "a new VM on the other side for each program: what one leaves behind differs");
  app.add_flag("--list", options.list, "print the code of every program");
  app.add_flag("--trace", options.trace, "print every exit");
  app.add_option("--json", options.json, "write the summary to this file");
  app.add_option("--progress-fd", options.progress_fd, "write the number of every 32nd program to this descriptor");
  app.add_option("--progress-every", options.progress_every, "or of every Nth")->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? 2 : 0;
  }
  return run(options, setup);
}

}  // namespace conformance::random
