// Chunks that are more than one instruction of a form: what prepares it, what makes its undefined flags defined, and
// sequences that mean something only together.
#pragma once

#include "conformance/random/forms.hpp"
#include "conformance/random/program.hpp"

namespace conformance::random {

void put_chunk(Family family, const Variant& variant, Random& random, Chunk& chunk);

}  // namespace conformance::random
