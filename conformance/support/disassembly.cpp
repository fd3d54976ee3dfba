// Disassembly by Zydis. See disassembly.hpp.
#include "conformance/support/disassembly.hpp"

#include <Zydis/Zydis.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace conformance {

std::string disassemble(std::span<const std::uint8_t> code, std::uint64_t address, unsigned bits) {
  const ZydisMachineMode mode = bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                                : bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                             : ZYDIS_MACHINE_MODE_REAL_16;
  std::string lines;
  while (!code.empty()) {
    ZydisDisassembledInstruction instruction;
    const bool is_good = ZYAN_SUCCESS(ZydisDisassembleIntel(mode, address, code.data(), code.size(), &instruction));
    const std::size_t length = is_good ? instruction.info.length : 1;
    lines += fmt::format("{:04x}  {:<24}{}\n", address, fmt::format("{:02x}", fmt::join(code.first(length), " ")),
                         is_good ? instruction.text : "(bad)");
    code = code.subspan(length);
    address += length;
  }
  return lines;
}

}  // namespace conformance
