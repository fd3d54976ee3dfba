// For tests: every instruction that the decoder knows, found by decoding every opcode of every map with the prefixes
// that select instructions, so that no list can forget one.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <initializer_list>
#include <vector>

#include "kvmapi/types.hpp"

namespace mock::cpu {

using namespace kvmapi;

struct CatalogForm {
  ZydisMnemonic mnemonic;
  ZydisISASet set;
  bool has_memory;  // its memory operand is [RCX], or [RCX + RDX] with a vector index for gathers
  u8 length;
  std::array<u8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
};

// 64-bit code: legacy and VEX encodings, one form per mnemonic, ISA set, prefixes and kind of operand.
inline std::vector<CatalogForm> instruction_catalog() {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
  ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_KNC, ZYAN_FALSE);
  std::vector<CatalogForm> forms;
  std::vector<bool> seen;
  const auto add = [&](std::initializer_list<u8> head, u8 opcode, u8 modrm) {
    CatalogForm form{};
    form.bytes.fill(0x11);  // SIB: RCX + RDX
    std::size_t n = 0;
    for (const u8 byte : head) form.bytes[n++] = byte;
    form.bytes[n++] = opcode;
    form.bytes[n++] = modrm;
    ZydisDecodedInstruction i;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, form.bytes.data(), form.bytes.size(), &i)))
      return;
    if (i.meta.isa_set == ZYDIS_ISA_SET_PREFETCH_NOP && modrm >= 0xc0) return;  // AMD: #UD, what Zydis does not know
    form.mnemonic = i.mnemonic;
    form.set = i.meta.isa_set;
    form.has_memory = (i.attributes & ZYDIS_ATTRIB_HAS_MODRM) && modrm < 0xc0;
    form.length = i.length;
    const std::size_t key =
        ((static_cast<std::size_t>(form.mnemonic) * (ZYDIS_ISA_SET_MAX_VALUE + 1) + form.set) * 2 + form.has_memory) *
            16 +
        (i.raw.vex.L * 2u + i.raw.vex.W + i.raw.rex.W + i.raw.vex.pp * 4u) % 16;
    if (key >= seen.size()) seen.resize(key * 2 + 1);
    if (seen[key]) return;
    seen[key] = true;
    forms.push_back(form);
  };
  // Memory operands [RCX], [RCX + RDX]; registers: every reg field with rm 0, and rm with reg field where it selects.
  std::vector<u8> modrms;
  for (unsigned reg = 0; reg < 8; ++reg) {
    for (const unsigned rm : {1u, 4u}) modrms.push_back(static_cast<u8>(reg << 3 | rm));
  }
  for (unsigned modrm = 0xc0; modrm <= 0xff; ++modrm) modrms.push_back(static_cast<u8>(modrm));
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    for (const u8 modrm : modrms) {
      const u8 op = static_cast<u8>(opcode);
      for (const u8 prefix : {u8{0}, u8{0x66}, u8{0xf2}, u8{0xf3}}) {
        for (const u8 rex : {u8{0x40}, u8{0x48}}) {
          if (prefix == 0) {
            add({rex}, op, modrm);
            add({rex, 0x0f}, op, modrm);
            add({rex, 0x0f, 0x38}, op, modrm);
            add({rex, 0x0f, 0x3a}, op, modrm);
          } else {
            add({prefix, rex}, op, modrm);
            add({prefix, rex, 0x0f}, op, modrm);
            add({prefix, rex, 0x0f, 0x38}, op, modrm);
            add({prefix, rex, 0x0f, 0x3a}, op, modrm);
          }
        }
      }
      for (unsigned map = 1; map <= 3; ++map) {
        for (unsigned rest = 0; rest < 16; ++rest) {  // W, L, pp
          for (const unsigned vvvv : {0xfu, 0x9u}) {  // none, register 6
            const u8 last = static_cast<u8>((rest & 8) << 4 | vvvv << 3 | (rest & 7));
            add({0xc4, static_cast<u8>(0xe0 | map), last}, op, modrm);
          }
        }
      }
    }
  }
  return forms;
}

}  // namespace mock::cpu
