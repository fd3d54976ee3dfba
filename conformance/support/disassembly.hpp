// Machine code as text, for failure messages and `explain`.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace conformance {

// One line per instruction: "1000  e6 10                 out 0x10, al". `bits`: 16, 32 or 64. Bytes that are no
// instruction are shown as (bad), one by one.
std::string disassemble(std::span<const std::uint8_t> code, std::uint64_t address, unsigned bits);

}  // namespace conformance
