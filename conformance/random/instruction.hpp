// One random instruction of a form, encoded.
#pragma once

#include "conformance/random/forms.hpp"
#include "conformance/random/program.hpp"

namespace conformance::random {

// Appends it to `chunk`. Never longer than 15 bytes but now and then on purpose.
void put_instruction(const Form& form, const Variant& variant, Random& random, Chunk& chunk);

// A value that general registers hold at the start: an operand, or the address of data, often close to the end of a
// page.
u64 register_value(unsigned index, const Variant& variant, Random& random);
// An address of data in the terms of a 16-bit or a flat program.
u64 data_address(const Variant& variant, Random& random);

// MOV of a value into a whole general register (32 bits in 16-bit code).
void put_load(unsigned reg, u64 value, const Variant& variant, Chunk& chunk);

}  // namespace conformance::random
