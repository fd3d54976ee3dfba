#include "mock/cpu/dispatch.hpp"

#include <algorithm>
#include <memory>

#include "mock/cpu/engine.hpp"
#include "mock/cpu/fpu_rows.hpp"

namespace mock::cpu {

namespace {

struct Table {
  std::array<const Row*, ZYDIS_MNEMONIC_MAX_VALUE + 1> rows{};
  std::size_t count = 0;

  Table() {
    for (const auto rows_of :
         {binary_rows,    unary_rows,    move_rows,       shift_rows,   muldiv_rows,       bits_rows,
          stack_rows,     branch_rows,   string_rows,     misc_rows,    system_rows,       x87_rows,
          fpu_state_rows, simd_int_rows, simd_move_rows,  simd_fp_rows, simd_shuffle_rows, simd_avx_rows,
          simd_sse4_rows, simd_fma_rows, simd_string_rows}) {
      for (const Row& row : rows_of()) {
        rows[row.mnemonic] = &row;
        ++count;
      }
    }
  }
};

const Table& table() {
  static const auto instance = std::make_unique<const Table>();
  return *instance;
}

bool undefined(Core& core, const Op&) { return core.raise(UD); }
bool general_protection(Core& core, const Op&) { return core.raise(GP, 0); }
bool unmodelled(Core& core, const Op&) { return core.stop(Stop::unmodelled); }

void fall_through(Core* core, const Op* op, s64 budget) { MOCK_CPU_FOLLOW(fall, fall_rip); }

}  // namespace

const Row* find_row(ZydisMnemonic mnemonic) { return table().rows[mnemonic]; }
std::size_t row_count() { return table().count; }

u8 register_slot(ZydisRegister reg) {
  const auto within = [reg](ZydisRegister first, ZydisRegister last) { return reg >= first && reg <= last; };
  const auto index = [reg](ZydisRegister first) { return static_cast<unsigned>(reg - first); };
  if (within(ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL)) return static_cast<u8>(index(ZYDIS_REGISTER_AL) * 8);
  if (within(ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH)) return static_cast<u8>(index(ZYDIS_REGISTER_AH) * 8 + 1);
  if (within(ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B)) return static_cast<u8>((index(ZYDIS_REGISTER_SPL) + 4) * 8);
  if (within(ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W)) return static_cast<u8>(index(ZYDIS_REGISTER_AX) * 8);
  if (within(ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D)) return static_cast<u8>(index(ZYDIS_REGISTER_EAX) * 8);
  if (within(ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15)) return static_cast<u8>(index(ZYDIS_REGISTER_RAX) * 8);
  return static_cast<u8>(ZydisRegisterGetId(reg));
}

bool is_relative_branch(const ZydisDecodedInstruction& instruction) {
  return instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE &&
         (instruction.meta.category == ZYDIS_CATEGORY_COND_BR ||
          instruction.meta.category == ZYDIS_CATEGORY_UNCOND_BR || instruction.meta.category == ZYDIS_CATEGORY_CALL);
}

// Extensions without rows that are #UD, because no processor that is modelled has them.
static constexpr ZydisISAExt kAbsent[] = {
    ZYDIS_ISA_EXT_AMD3DNOW,  ZYDIS_ISA_EXT_AMD_INVLPGB, ZYDIS_ISA_EXT_AMX_BF16,
    ZYDIS_ISA_EXT_AMX_INT8,  ZYDIS_ISA_EXT_AMX_TILE,    ZYDIS_ISA_EXT_AVX512VEX,
    ZYDIS_ISA_EXT_AVX_VNNI,  ZYDIS_ISA_EXT_CET,         ZYDIS_ISA_EXT_CLZERO,
    ZYDIS_ISA_EXT_ENQCMD,    ZYDIS_ISA_EXT_FMA4,        ZYDIS_ISA_EXT_GFNI,
    ZYDIS_ISA_EXT_HRESET,    ZYDIS_ISA_EXT_KEYLOCKER,   ZYDIS_ISA_EXT_KEYLOCKER_WIDE,
    ZYDIS_ISA_EXT_KNC,       ZYDIS_ISA_EXT_KNCV,        ZYDIS_ISA_EXT_MCOMMIT,
    ZYDIS_ISA_EXT_MONITORX,  ZYDIS_ISA_EXT_MOVDIR,      ZYDIS_ISA_EXT_PADLOCK,
    ZYDIS_ISA_EXT_PCONFIG,   ZYDIS_ISA_EXT_PT,          ZYDIS_ISA_EXT_RDPRU,
    ZYDIS_ISA_EXT_RTM,       ZYDIS_ISA_EXT_SERIALIZE,   ZYDIS_ISA_EXT_SGX,
    ZYDIS_ISA_EXT_SGX_ENCLV, ZYDIS_ISA_EXT_SMX,         ZYDIS_ISA_EXT_SNP,
    ZYDIS_ISA_EXT_TDX,       ZYDIS_ISA_EXT_TSX_LDTRK,   ZYDIS_ISA_EXT_UINTR,
    ZYDIS_ISA_EXT_VMFUNC,    ZYDIS_ISA_EXT_VTX,         ZYDIS_ISA_EXT_WAITPKG,
    ZYDIS_ISA_EXT_XOP};

bool is_absent(const ZydisDecodedInstruction& instruction) {
  switch (instruction.encoding) {
    case ZYDIS_INSTRUCTION_ENCODING_EVEX:
    case ZYDIS_INSTRUCTION_ENCODING_MVEX:
    case ZYDIS_INSTRUCTION_ENCODING_XOP:
    case ZYDIS_INSTRUCTION_ENCODING_3DNOW:
      return true;
    default:
      break;
  }
  return std::find(std::begin(kAbsent), std::end(kAbsent), instruction.meta.isa_ext) != std::end(kAbsent);
}

Handler* undefined_handler() { return &call<undefined>; }
Handler* general_protection_handler() { return &call<general_protection>; }
Handler* unmodelled_handler() { return &call<unmodelled>; }
Handler* fall_through_handler() { return &fall_through; }

}  // namespace mock::cpu
