// x87 arithmetic: each instruction is executed by the host's own x87 unit on the guest's state. Unmasked exceptions do
// not trap there, because an x87 exception is only reported by the next waiting instruction, and the state is stored
// before one comes. So results, tags, condition codes and exception flags are the hardware's. SDM vol. 1 chapter 8.
#include <utility>

#include "mock/cpu/engine.hpp"
#include "mock/cpu/fpu.hpp"
#include "mock/cpu/fpu_rows.hpp"

namespace mock::cpu {
namespace {

#define MOCK_CPU_FPU_CLOBBERS                                                                                          \
  "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", \
      "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

// Runs one instruction between loading and storing the state. `flags`: AH as LAHF has it, for FCMOV and FCOMI.
using Thunk = void(FxArea* area, u16* flags, void* memory);

template <unsigned opcode, unsigned modrm>
void run_register(FxArea* area, u16* flags, void*) {
  u16 ax = *flags;
  asm volatile("fxrstor (%[area])\n\tsahf\n\t.byte %c[op], %c[mod]\n\tlahf\n\tfxsave (%[area])\n\tfninit"
               : "+a"(ax)
               : [area] "r"(area), [op] "i"(0xd8 + opcode), [mod] "i"(0xc0 + modrm)
               : MOCK_CPU_FPU_CLOBBERS);
  *flags = ax;
}

template <unsigned opcode, unsigned reg>
void run_memory(FxArea* area, u16*, void* memory) {
  asm volatile("fxrstor (%[area])\n\t.byte %c[op], %c[mod]\n\tfxsave (%[area])\n\tfninit"
               :
               : [area] "r"(area), "c"(memory), [op] "i"(0xd8 + opcode), [mod] "i"(reg << 3 | 1)
               : MOCK_CPU_FPU_CLOBBERS);
}

template <std::size_t... i>
constexpr std::array<Thunk*, sizeof...(i)> register_thunks(std::index_sequence<i...>) {
  return {&run_register<i / 64, i % 64>...};
}
template <std::size_t... i>
constexpr std::array<Thunk*, sizeof...(i)> memory_thunks(std::index_sequence<i...>) {
  return {&run_memory<i / 8, i % 8>...};
}
constexpr auto kRegisterThunks = register_thunks(std::make_index_sequence<512>());
constexpr auto kMemoryThunks = memory_thunks(std::make_index_sequence<64>());

// Memory operands by opcode and reg field: bytes read (positive) or written (negative); 0: not of this kind.
constexpr s8 kOperandBytes[8][8] = {
    {4, 4, 4, 4, 4, 4, 4, 4},        // D8
    {4, 0, -4, -4, 0, 2, 0, -2},     // D9: FLD, FST, FSTP, FLDCW, FNSTCW
    {4, 4, 4, 4, 4, 4, 4, 4},        // DA
    {4, -4, -4, -4, 0, 10, 0, -10},  // DB
    {8, 8, 8, 8, 8, 8, 8, 8},        // DC
    {8, -8, -8, -8, 0, 0, 0, -2},    // DD: ... FNSTSW
    {2, 2, 2, 2, 2, 2, 2, 2},        // DE
    {2, -2, -2, -2, 10, 8, -10, -8}  // DF
};

// FLDCW, FNSTCW, FNSTSW and the instructions without data leave the pointers to the last instruction alone.
bool is_control(unsigned opcode, unsigned modrm) {
  const unsigned reg = modrm >> 3 & 7;
  if (modrm < 0xc0) return (opcode == 1 && (reg == 5 || reg == 7)) || (opcode == 5 && reg == 7);
  return opcode == 3 && modrm >= 0xe0 && modrm <= 0xe4;
}

bool waits(unsigned opcode, unsigned modrm) {
  const unsigned reg = modrm >> 3 & 7;
  if (modrm < 0xc0) return !((opcode == 1 || opcode == 5) && reg == 7);
  return !(opcode == 3 && modrm >= 0xe0 && modrm <= 0xe4);
}

void note_pointers(Core& core, const Op& op, unsigned opcode, unsigned modrm, bool has_memory, u64 data) {
  core.s.fpu.last_opcode = static_cast<u16>((opcode << 8 | modrm) & 0x7ff);
  core.s.fpu.last_ip = core.rip_of(op);
  if (has_memory) core.s.fpu.last_dp = data;
}

// CF, PF and ZF travel in AH; FCOMI clears the others.
bool changes_flags(unsigned opcode, unsigned modrm) {
  return (opcode == 3 || opcode == 7) && modrm >= 0xe8 && modrm <= 0xf7;
}

bool execute_register(Core& core, const Op& op) {
  const unsigned opcode = op.slot[0], modrm = op.slot[1];
  if (!x87_ready(core, waits(opcode, modrm))) return false;
  FxArea area;
  area.mxcsr = __builtin_ia32_stmxcsr();
  store_x87(core.s.fpu, area);
  u16 flags = static_cast<u16>(((core.rflags() & 0xd5) | 2) << 8);
  kRegisterThunks[opcode * 64 + (modrm & 63)](&area, &flags, nullptr);
  const FpuState before = core.s.fpu;
  load_x87(core.s.fpu, area);
  core.s.fpu.last_opcode = before.last_opcode;
  core.s.fpu.last_ip = before.last_ip;
  core.s.fpu.last_dp = before.last_dp;
  if (opcode == 3 && modrm == 0xe3) core.s.fpu.last_opcode = 0, core.s.fpu.last_ip = core.s.fpu.last_dp = 0;  // FNINIT
  if (!is_control(opcode, modrm)) note_pointers(core, op, opcode, modrm, false, 0);
  if (changes_flags(opcode, modrm)) core.set_arith_flags(flags >> 8 & (CF | PF | ZF));
  return true;
}

// An unmasked exception other than #P keeps a store from happening.
bool store_happens(const FpuState& before, const FxArea& after) {
  constexpr unsigned kPrecision = 0x20;
  return !(after.fsw & ~before.fsw & ~before.fcw & kFswExceptions & ~kPrecision);
}

bool execute_memory(Core& core, const Op& op) {
  const unsigned opcode = op.slot[0], modrm = op.slot[1], reg = modrm >> 3 & 7;
  if (!x87_ready(core, waits(opcode, modrm))) return false;
  const int bytes = kOperandBytes[opcode][reg];
  const unsigned size = static_cast<unsigned>(bytes < 0 ? -bytes : bytes);
  const bool control = is_control(opcode, modrm);
  const u64 offset = core.effective_address(op);
  const Access access = bytes < 0 ? Access::write : Access::read;
  alignas(16) std::array<u8, 16> buffer{};
  u64 linear;
  if (!core.linear(op.segment(), offset, size, access, linear)) return false;
  if (!control && !is_ram(core, linear, size, access)) return false;
  if (bytes > 0 ? !core.read_linear(linear, buffer.data(), size) : !control && !core.probe_write(linear, size))
    return false;
  FxArea area;
  area.mxcsr = __builtin_ia32_stmxcsr();
  store_x87(core.s.fpu, area);
  u16 flags = 0;
  kMemoryThunks[opcode * 8 + reg](&area, &flags, buffer.data());
  if (bytes < 0 && store_happens(core.s.fpu, area) && !core.write_linear(linear, buffer.data(), size)) return false;
  area.fop = core.s.fpu.last_opcode;
  area.fip = core.s.fpu.last_ip;
  area.fdp = core.s.fpu.last_dp;
  load_x87(core.s.fpu, area);
  if (!control) note_pointers(core, op, opcode, modrm, true, offset);
  return true;
}

bool store_status_in_ax(Core& core, const Op&) {
  if (!x87_ready(core, false)) return false;
  core.set_register(RAX * 8, 2, core.s.fpu.fsw);
  return true;
}

}  // namespace

void select_x87(const Decoded& d, Op& op, Selection& selection) {
  const u8 opcode = d.instruction.opcode & 7;
  const u8 modrm =
      static_cast<u8>(d.instruction.raw.modrm.mod << 6 | d.instruction.raw.modrm.reg << 3 | d.instruction.raw.modrm.rm);
  op.slot[0] = opcode;
  op.slot[1] = modrm;
  if (modrm >= 0xc0) {
    selection.handler = opcode == 7 && modrm == 0xe0 ? &call<store_status_in_ax> : &call<execute_register>;
  } else if (kOperandBytes[opcode][modrm >> 3 & 7]) {
    selection.handler = &call<execute_memory>;
  }
}

}  // namespace mock::cpu
