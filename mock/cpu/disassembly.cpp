// See disassembly.hpp.
#include "mock/cpu/disassembly.hpp"

#include <Zydis/Zydis.h>

namespace mock::cpu {

std::string disassemble(std::span<const kvmapi::u8> bytes, kvmapi::u64 rip, unsigned bits) {
  const ZydisMachineMode mode = bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                                : bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                             : ZYDIS_MACHINE_MODE_REAL_16;
  ZydisDisassembledInstruction instruction;
  const ZyanStatus status = ZydisDisassembleIntel(mode, rip, bytes.data(), bytes.size(), &instruction);
  return ZYAN_SUCCESS(status) ? instruction.text : "(bad)";
}

}  // namespace mock::cpu
