// Delta debugging over chunks: halves, quarters, ... single ones are left out as long as the difference stays.
#include "conformance/random/reduce.hpp"

#include <algorithm>

namespace conformance::random {

std::string kind_of(const Outcome& outcome) {
  if (outcome.fields.empty()) return "";
  const FieldDifference& first = outcome.fields.front();
  std::string kind = first.path.substr(0, first.path.find('['));
  if (kind == "exit_reason" || kind == "errno") kind += " " + first.a + " " + first.b;
  return kind;
}

Program reduce(World& a, World& b, const Program& program, const Outcome& outcome) {
  const std::string kind = kind_of(outcome);
  const auto shows_it = [&](const Program& candidate) {
    const Outcome now = run_in_both(a, b, candidate);
    return now.kind == Outcome::Kind::different && kind_of(now) == kind;
  };
  Program best = program;
  if (Program plain = best; plain.interrupts) {
    plain.interrupts = 0;
    if (shows_it(plain)) best = plain;
  }
  for (std::size_t size = std::max<std::size_t>(1, best.chunks.size() / 2);; size /= 2) {
    for (std::size_t at = 0; at < best.chunks.size();) {
      Program smaller = best;
      const auto from = smaller.chunks.begin() + static_cast<std::ptrdiff_t>(at);
      smaller.chunks.erase(from, from + static_cast<std::ptrdiff_t>(std::min(size, smaller.chunks.size() - at)));
      if (shows_it(smaller)) {
        best = std::move(smaller);
      } else {
        at += size;
      }
    }
    if (size == 1) return best;
  }
}

}  // namespace conformance::random
