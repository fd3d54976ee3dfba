// A run's results: counts, and each difference with everything that is needed to understand and repeat it.
#pragma once

#include <map>

#include "conformance/random/limits.hpp"

namespace conformance::random {

struct Finding {
  Program program;  // reduced
  std::size_t chunks_before = 0;
  Outcome outcome;
};

struct Summary {
  std::string a, b;  // names of the worlds
  u64 seed = 0, first = 0, programs = 0;
  u64 same = 0, limited = 0, did_not_end = 0, different = 0, broken = 0, exits = 0;
  std::map<std::string, u64> by_mode;
  std::map<std::string, u64> by_limit;
  std::map<std::string, u64> by_kind;  // differences that nothing explains
  double seconds = 0;
};

// Disassembly, the state before, and what differs.
std::string describe(const Finding& finding);
// Disassembly of a program that has not run.
std::string list(const Program& program);
std::string rerun_command(const Program& program);
std::string to_text(const Summary& summary);
std::string to_json(const Summary& summary);

}  // namespace conformance::random
