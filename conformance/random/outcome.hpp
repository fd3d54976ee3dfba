// Outcome: how a program went in two worlds.
#pragma once

#include "conformance/random/compare.hpp"

namespace conformance::random {

struct Outcome {
  enum class Kind : u8 { same, different, did_not_end, broken };
  Kind kind = Kind::same;
  std::string trouble;  // broken: which call failed
  unsigned exits = 0;   // that both made; a difference is found at the next one
  std::vector<FieldDifference> fields;
  std::vector<std::string_view> limits;  // what explained differences on the way
  std::vector<u8> code;                  // as it was when the difference was found
  Snapshot before;                       // the state that both ran from last
  Snapshot a, b;
};

}  // namespace conformance::random
