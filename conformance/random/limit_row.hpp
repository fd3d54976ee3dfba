// Limits as rows: a name, a reason, a predicate. limits.cpp asks them in order.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <span>

#include "conformance/random/limits.hpp"
#include "conformance/random/scene.hpp"

namespace conformance::random {

// A word of memory that differs for a known reason. Several may meet in one difference.
struct WordRow {
  Limit limit;
  bool (*holds)(const Scene&, u64 at, u64 a, u64 b);
};

// A difference after which the program is over.
struct LimitRow {
  Limit limit;
  bool (*holds)(const Scene&);
};

// KVM's instruction emulator: limits_emulator.cpp.
std::span<const LimitRow> emulator_limits();
// Segment registers, descriptor tables, ports: limits_system.cpp.
std::span<const WordRow> system_words();
std::span<const LimitRow> system_limits();
// Single steps: limits_debug.cpp.
std::span<const LimitRow> debug_limits();

// The row of a word that differs; nullptr: none.
const WordRow* explain_word(const Scene& scene, u64 at, u64 a, u64 b);

inline bool is_one_of(const std::optional<Instruction>& instruction, std::initializer_list<ZydisMnemonic> mnemonics) {
  return instruction && std::find(mnemonics.begin(), mnemonics.end(), instruction->info.mnemonic) != mnemonics.end();
}

// Whether nothing differs but fields that `field` accepts, words that `word` accepts or a row explains, and RF that
// lasts too long.
template <class Field, class Word>
bool differs_in(const Scene& s, const Field& field, const Word& word) {
  constexpr u64 kRf = 0x10000;
  const u64 flags_a = s.outcome.a.regs.rflags, flags_b = s.outcome.b.regs.rflags;
  const bool is_rf = (flags_a ^ flags_b) == (flags_b & kRf);
  return s.differs_only([&](const std::string& path) { return field(path) || (is_rf && path == "regs.rflags"); },
                        [&](u64 at, u64 a, u64 b) { return word(a, b) || explain_word(s, at, a, b); });
}
template <class Field>
bool differs_in(const Scene& s, const Field& field) {
  return differs_in(s, field, [](u64, u64) { return false; });
}

}  // namespace conformance::random
