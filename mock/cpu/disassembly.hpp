// The text of one instruction, for log lines.
#pragma once

#include <span>
#include <string>

#include "kvmapi/types.hpp"

namespace mock::cpu {

// Intel syntax; "(bad)" if the bytes are no instruction. `bits`: 16, 32 or 64.
std::string disassemble(std::span<const kvmapi::u8> bytes, kvmapi::u64 rip, unsigned bits);

}  // namespace mock::cpu
